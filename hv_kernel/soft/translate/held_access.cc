// Accesses to held pages in generated code, and the registers they take (held_pages.h).
#include "hv_kernel/soft/translate/emission.h"

namespace hv::soft {
namespace {

namespace x86 = asmjit::x86;

bool HasHighByte(const Instruction& insn) {
  for (const Operand& operand : insn.operands) {
    if (operand.kind == Operand::Kind::kGpr && operand.high_byte) return true;
  }
  return false;
}

}  // namespace

void Emission::SetAside(RegisterSet guests) {
  set_aside_ = guests;
  put_back_and_leave_ = assembler_.newLabel();
  for (uint8_t guest = HV_RAX; guest <= HV_R15; ++guest) {
    if ((guests & RegisterBit(guest)) != 0) {
      assembler_.mov(CpuSetAside(guest), HostRegister(guest));
    }
  }
}

// Keeps flags.
void Emission::PutBack() {
  for (uint8_t guest = HV_RAX; guest <= HV_R15; ++guest) {
    if ((set_aside_ & RegisterBit(guest)) != 0) {
      assembler_.mov(HostRegister(guest), CpuSetAside(guest));
    }
  }
}

void Emission::BeginTurns() {
  turns_ = assembler_.newLabel();
  assembler_.bind(turns_);
  EmitAttentionCheck(block_rip_, flags_live_);
}

// Not before the page has been filled, which an access does only where it is emitted as one.
bool Emission::UsesHeldPage(HeldAccess::Part part) const {
  if (held_.part != part) return false;
  const bool filled = (filled_ & RegisterBit(held_.page.addend)) != 0;
  return filled || held_.step == HeldAccess::Step::kFills;
}

void Emission::EmitHeldAccess(const Operand& address) {
  x86::Assembler& a = assembler_;
  using Step = HeldAccess::Step;
  const HeldAccess held = held_;
  // AH and its like are swapped with the low byte around the instruction (re_encode.cc).
  const bool direct =
      address.index == kNoRegister && !InMemory(address.base) && !HasHighByte(insn());
  if (!direct) EmitOffset(address, kTemp0);
  const x86::Gp from = direct ? HostRegister(address.base) : kTemp0;
  const auto displacement = direct ? static_cast<int32_t>(address.value) : 0;
  accessed_ = x86::ptr(from, HostRegister(held.page.addend), 0, displacement);
  filled_ |= RegisterBit(held.page.addend);
  if (held.step == Step::kUses) return;
  const asmjit::Label fails = a.newLabel();
  LinkLater(fails, NewLinkSite(rip_, LinkTo::kUnshared));
  const auto probe = [this, held, fails, number = from.id(), lowest = displacement - held.reach] {
    const x86::Gp base = x86::gpq(number);
    if (base != kTemp0 || lowest != 0) assembler_.lea(kTemp0, x86::ptr(base, lowest));
    EmitProbeToHold(held, fails);
    if (base == kTemp0 && lowest != 0) assembler_.lea(kTemp0, x86::ptr(kTemp0, -lowest));
  };
  if (held.step == Step::kFills) return probe();
  const asmjit::Label other = a.newLabel(), go_on = a.newLabel();
  a.lea(kTemp1, x86::ptr(from, HostRegister(held.page.tag), 0, displacement - held.reach));
  a.cmp(kTemp1, static_cast<int32_t>(kPageBytes - held.bytes));
  a.ja(other);
  a.bind(go_on);
  Later([this, probe, other, go_on] {
    assembler_.bind(other);
    probe();
    assembler_.jmp(go_on);
  });
}

}  // namespace hv::soft
