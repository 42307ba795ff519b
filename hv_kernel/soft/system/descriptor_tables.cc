// LGDT, LIDT, SGDT, SIDT, LLDT, LTR, SLDT, STR, LAR, LSL, VERR, VERW (Intel SDM vol. 2).
#include <Zydis/Mnemonic.h>

#include "hv_kernel/soft/memory/linear_access.h"
#include "hv_kernel/soft/system/instructions.h"
#include "hv_kernel/soft/system/operand_access.h"
#include "hv_kernel/soft/system/segments.h"

namespace hv::soft {
namespace {

constexpr uint64_t kBusyBit = 1ull << 41;

Outcome GeneralProtection(Cpu& cpu, uint32_t error = 0) {
  return RaiseWithCode(cpu, Vector::kGeneralProtection, error);
}

bool Protected(const Cpu& cpu) { return !RealMode(cpu) && (cpu.rflags & kFlagVm) == 0; }

bool UserModePrevented(const Cpu& cpu) {
  return (cpu.cr4 & kCr4Umip) != 0 && PrivilegeLevel(cpu) != 0;
}

// System descriptors are sixteen bytes in long mode: the upper half of the base.
Outcome ReadUpperBase(Cpu& cpu, uint16_t selector, uint64_t& base) {
  if (!LongModeActive(cpu)) return Outcome::kDone;
  uint32_t upper = 0;
  HV_RETURN_UNLESS_DONE(ReadSystem(cpu, DescriptorAddress(cpu, selector) + 8, upper));
  base |= uint64_t{upper} << 32;
  return IsCanonical(base) ? Outcome::kDone : GeneralProtection(cpu, SelectorError(selector));
}

void SetZeroFlag(Cpu& cpu, bool on) {
  cpu.rflags = on ? cpu.rflags | kFlagZf : cpu.rflags & ~kFlagZf;
}

// Whether LAR, LSL, VERR and VERW can see a segment of this privilege.
bool Visible(const Cpu& cpu, uint16_t selector, const Descriptor& descriptor) {
  if (descriptor.conforming()) return true;
  return descriptor.dpl() >= PrivilegeLevel(cpu) && descriptor.dpl() >= (selector & 3u);
}

// Reads the descriptor for an inspection: a bad selector is an answer, not a fault; page faults
// stay.
Outcome Inspect(Cpu& cpu, uint16_t selector, Descriptor& descriptor, bool& found) {
  found = false;
  if (IsNullSelector(selector)) return Outcome::kDone;
  const Outcome outcome = ReadDescriptor(cpu, selector, descriptor);
  if (outcome == Outcome::kException &&
      cpu.exception.vector == static_cast<uint8_t>(Vector::kGeneralProtection)) {
    return Outcome::kDone;
  }
  found = outcome == Outcome::kDone && Visible(cpu, selector, descriptor);
  return outcome;
}

bool HasAccessRights(const Cpu& cpu, uint32_t type) {
  switch (type) {
    case kLdt:
    case kTss32Available:
    case kTss32Busy:
    case kCallGate32: return true;
    case kTss16Available:
    case kTss16Busy:
    case kCallGate16:
    case kTaskGate: return !LongModeActive(cpu);
    default: return false;
  }
}

bool HasLimit(const Cpu& cpu, uint32_t type) {
  return HasAccessRights(cpu, type) && type != kCallGate32 && type != kCallGate16 &&
         type != kTaskGate;
}

}  // namespace

Outcome LoadTable(Cpu& cpu, const Instruction& insn) {
  if (PrivilegeLevel(cpu) != 0) return GeneralProtection(cpu);
  const uint32_t base_bytes = insn.mode == CodeMode::k64 ? 8 : 4;
  uint64_t linear;
  HV_RETURN_UNLESS_DONE(LinearOf(cpu, insn, insn.operands[0], 2 + base_bytes, false, linear));
  hv_descriptor_table table{};
  const TlbIndex index = CurrentTlbIndex(cpu);
  HV_RETURN_UNLESS_DONE(ReadLinear(cpu, linear, &table.limit, 2, index));
  HV_RETURN_UNLESS_DONE(ReadLinear(cpu, linear + 2, &table.base, base_bytes, index));
  if (insn.mode != CodeMode::k64 && insn.operand_bytes == 2) table.base &= 0xffffff;
  if (insn.mode == CodeMode::k64 && !IsCanonical(table.base)) return GeneralProtection(cpu);
  (insn.mnemonic == ZYDIS_MNEMONIC_LGDT ? cpu.gdtr : cpu.idtr) = table;
  return Outcome::kDone;
}

Outcome StoreTable(Cpu& cpu, const Instruction& insn) {
  if (UserModePrevented(cpu)) return GeneralProtection(cpu);
  const hv_descriptor_table& table = insn.mnemonic == ZYDIS_MNEMONIC_SGDT ? cpu.gdtr : cpu.idtr;
  const uint32_t base_bytes = insn.mode == CodeMode::k64 ? 8 : 4;
  uint64_t linear;
  HV_RETURN_UNLESS_DONE(LinearOf(cpu, insn, insn.operands[0], 2 + base_bytes, true, linear));
  struct [[gnu::packed]] {
    uint16_t limit;
    uint64_t base;
  } image{table.limit, table.base};
  return WriteLinear(cpu, linear, &image, 2 + base_bytes, CurrentTlbIndex(cpu));
}

Outcome Lldt(Cpu& cpu, const Instruction& insn) {
  if (!Protected(cpu)) return Raise(cpu, Vector::kInvalidOpcode);
  if (PrivilegeLevel(cpu) != 0) return GeneralProtection(cpu);
  uint64_t value;
  HV_RETURN_UNLESS_DONE(ReadOperand(cpu, insn, insn.operands[0], value, 2));
  const auto selector = static_cast<uint16_t>(value);
  if (IsNullSelector(selector)) {
    cpu.ldtr = NullSegment(selector, 0);
    return Outcome::kDone;
  }
  if ((selector & 4) != 0) return GeneralProtection(cpu, SelectorError(selector));
  Descriptor descriptor;
  HV_RETURN_UNLESS_DONE(ReadDescriptor(cpu, selector, descriptor));
  if (!descriptor.is_system() || descriptor.type() != kLdt) {
    return GeneralProtection(cpu, SelectorError(selector));
  }
  if (!descriptor.present()) {
    return RaiseWithCode(cpu, Vector::kSegmentNotPresent, SelectorError(selector));
  }
  hv_segment_state state = descriptor.ToState(selector);
  HV_RETURN_UNLESS_DONE(ReadUpperBase(cpu, selector, state.base));
  cpu.ldtr = state;
  return Outcome::kDone;
}

Outcome Ltr(Cpu& cpu, const Instruction& insn) {
  if (!Protected(cpu)) return Raise(cpu, Vector::kInvalidOpcode);
  if (PrivilegeLevel(cpu) != 0) return GeneralProtection(cpu);
  uint64_t value;
  HV_RETURN_UNLESS_DONE(ReadOperand(cpu, insn, insn.operands[0], value, 2));
  const auto selector = static_cast<uint16_t>(value);
  if (IsNullSelector(selector)) return GeneralProtection(cpu);
  if ((selector & 4) != 0) return GeneralProtection(cpu, SelectorError(selector));
  Descriptor descriptor;
  HV_RETURN_UNLESS_DONE(ReadDescriptor(cpu, selector, descriptor));
  const bool tss16 = descriptor.type() == kTss16Available && !LongModeActive(cpu);
  if (!descriptor.is_system() || !(descriptor.type() == kTss32Available || tss16)) {
    return GeneralProtection(cpu, SelectorError(selector));
  }
  if (!descriptor.present()) {
    return RaiseWithCode(cpu, Vector::kSegmentNotPresent, SelectorError(selector));
  }
  descriptor = Descriptor(descriptor.bits() | kBusyBit);
  hv_segment_state state = descriptor.ToState(selector);
  HV_RETURN_UNLESS_DONE(ReadUpperBase(cpu, selector, state.base));
  HV_RETURN_UNLESS_DONE(WriteSystem(cpu, DescriptorAddress(cpu, selector), descriptor.bits()));
  cpu.tr = state;
  return Outcome::kDone;
}

Outcome StoreSystemSelector(Cpu& cpu, const Instruction& insn) {
  if (!Protected(cpu)) return Raise(cpu, Vector::kInvalidOpcode);
  if (UserModePrevented(cpu)) return GeneralProtection(cpu);
  const bool sldt = insn.mnemonic == ZYDIS_MNEMONIC_SLDT;
  const Operand& to = insn.operands[0];
  return WriteOperand(cpu, insn, to, sldt ? cpu.ldtr.selector : cpu.tr.selector,
                      to.kind == Operand::Kind::kMemory ? 2 : to.bytes);
}

Outcome Lar(Cpu& cpu, const Instruction& insn) {
  if (!Protected(cpu)) return Raise(cpu, Vector::kInvalidOpcode);
  uint64_t value;
  HV_RETURN_UNLESS_DONE(ReadOperand(cpu, insn, insn.operands[1], value, 2));
  Descriptor descriptor;
  bool found;
  HV_RETURN_UNLESS_DONE(Inspect(cpu, static_cast<uint16_t>(value), descriptor, found));
  found = found && (!descriptor.is_system() || HasAccessRights(cpu, descriptor.type()));
  if (found) WriteGpr(cpu, insn.operands[0], descriptor.bits() >> 32 & 0xf0ff00);
  SetZeroFlag(cpu, found);
  return Outcome::kDone;
}

Outcome Lsl(Cpu& cpu, const Instruction& insn) {
  if (!Protected(cpu)) return Raise(cpu, Vector::kInvalidOpcode);
  uint64_t value;
  HV_RETURN_UNLESS_DONE(ReadOperand(cpu, insn, insn.operands[1], value, 2));
  Descriptor descriptor;
  bool found;
  HV_RETURN_UNLESS_DONE(Inspect(cpu, static_cast<uint16_t>(value), descriptor, found));
  found = found && (!descriptor.is_system() || HasLimit(cpu, descriptor.type()));
  if (found) WriteGpr(cpu, insn.operands[0], descriptor.limit());
  SetZeroFlag(cpu, found);
  return Outcome::kDone;
}

Outcome Verify(Cpu& cpu, const Instruction& insn) {
  if (!Protected(cpu)) return Raise(cpu, Vector::kInvalidOpcode);
  uint64_t value;
  HV_RETURN_UNLESS_DONE(ReadOperand(cpu, insn, insn.operands[0], value, 2));
  Descriptor descriptor;
  bool found;
  HV_RETURN_UNLESS_DONE(Inspect(cpu, static_cast<uint16_t>(value), descriptor, found));
  const bool write = insn.mnemonic == ZYDIS_MNEMONIC_VERW;
  SetZeroFlag(cpu, found && !descriptor.is_system() &&
                       (write ? descriptor.writable() : descriptor.readable()));
  return Outcome::kDone;
}

}  // namespace hv::soft
