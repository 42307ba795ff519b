// JMP, Jcc, CALL, RET, LOOP and JrCXZ. Nothing here changes a flag.
#include <Zydis/Zydis.h>

#include "hv_kernel/soft/system/operand_access.h"
#include "hv_kernel/soft/translate/families.h"

namespace hv::soft {
namespace {

namespace x86 = asmjit::x86;

// Condition code of Jcc, as in the low four bits of its opcode; -1 for other instructions.
int ConditionOf(const Instruction& insn) {
  switch (insn.mnemonic) {
    case ZYDIS_MNEMONIC_JO: return 0x0;
    case ZYDIS_MNEMONIC_JNO: return 0x1;
    case ZYDIS_MNEMONIC_JB: return 0x2;
    case ZYDIS_MNEMONIC_JNB: return 0x3;
    case ZYDIS_MNEMONIC_JZ: return 0x4;
    case ZYDIS_MNEMONIC_JNZ: return 0x5;
    case ZYDIS_MNEMONIC_JBE: return 0x6;
    case ZYDIS_MNEMONIC_JNBE: return 0x7;
    case ZYDIS_MNEMONIC_JS: return 0x8;
    case ZYDIS_MNEMONIC_JNS: return 0x9;
    case ZYDIS_MNEMONIC_JP: return 0xa;
    case ZYDIS_MNEMONIC_JNP: return 0xb;
    case ZYDIS_MNEMONIC_JL: return 0xc;
    case ZYDIS_MNEMONIC_JNL: return 0xd;
    case ZYDIS_MNEMONIC_JLE: return 0xe;
    case ZYDIS_MNEMONIC_JNLE: return 0xf;
    default: return -1;
  }
}

x86::Inst::Id JumpIf(int condition) {
  static constexpr x86::Inst::Id kJumps[] = {
      x86::Inst::kIdJo, x86::Inst::kIdJno, x86::Inst::kIdJb,  x86::Inst::kIdJnb,
      x86::Inst::kIdJz, x86::Inst::kIdJnz, x86::Inst::kIdJbe, x86::Inst::kIdJnbe,
      x86::Inst::kIdJs, x86::Inst::kIdJns, x86::Inst::kIdJp,  x86::Inst::kIdJnp,
      x86::Inst::kIdJl, x86::Inst::kIdJnl, x86::Inst::kIdJle, x86::Inst::kIdJnle};
  return kJumps[condition];
}

// Width of near branches' stack slots and targets.
uint32_t BranchBytes(const Emission& e) {
  return e.mode().code() == CodeMode::k64 ? 8 : e.insn().operand_bytes;
}

uint64_t DirectTarget(const Emission& e) {
  const uint64_t target =
      e.rip() + e.insn().length + static_cast<uint64_t>(e.insn().operands[0].value);
  return target & WidthMask(BranchBytes(e));
}

bool IsDirect(const Emission& e) { return e.insn().operands[0].kind == Operand::Kind::kImmediate; }

// Loads a register, to the width of a branch target, with what has been accessed.
void LoadTarget(Emission& e, const x86::Gp& to) {
  switch (BranchBytes(e)) {
    case 8: e.a().mov(to, e.Accessed(8)); break;
    case 4: e.a().mov(to.r32(), e.Accessed(4)); break;
    default: e.a().movzx(to.r32(), e.Accessed(2));
  }
}

// The target of an indirect branch into kTemp0.
void EmitIndirectTarget(Emission& e) {
  const Operand& operand = e.insn().operands[0];
  if (operand.kind == Operand::Kind::kMemory) {
    e.EmitOperandAccess(operand, BranchBytes(e), MemoryUse::kRead);
    LoadTarget(e, kTemp0);
    return;
  }
  const x86::Gp from = e.Use(operand.reg, kTemp0);
  switch (BranchBytes(e)) {
    case 8:
      if (from != kTemp0) e.a().mov(kTemp0, from);
      break;
    case 4: e.a().mov(kTemp0.r32(), from.r32()); break;
    default: e.a().movzx(kTemp0.r32(), from.r16());
  }
}

void PushReturnAddress(Emission& e) {
  const uint32_t bytes = BranchBytes(e);
  x86::Assembler& a = e.a();
  e.EmitStackAccess(-static_cast<int64_t>(bytes), bytes, MemoryUse::kWrite);
  e.LoadImmediate(kTemp1, e.next_rip());
  switch (bytes) {
    case 8: a.mov(e.Accessed(8), kTemp1); break;
    case 4: a.mov(e.Accessed(4), kTemp1.r32()); break;
    default: a.mov(e.Accessed(2), kTemp1.r16());
  }
  e.EmitStackMove(-static_cast<int32_t>(bytes));
}

Emitted EmitCall(Emission& e) {
  if (IsDirect(e)) {
    PushReturnAddress(e);
    e.JumpTo(DirectTarget(e));
    return Emitted::kEnds;
  }
  EmitIndirectTarget(e);
  e.a().mov(CpuScratch(0), kTemp0);
  PushReturnAddress(e);
  e.a().mov(kTemp0, CpuScratch(0));
  e.JumpToTemp0();
  return Emitted::kEnds;
}

Emitted EmitReturn(Emission& e) {
  const uint32_t bytes = BranchBytes(e);
  const Instruction& insn = e.insn();
  const int32_t extra =
      insn.operand_count > 0 ? static_cast<int32_t>(insn.operands[0].value & 0xffff) : 0;
  e.EmitStackAccess(0, bytes, MemoryUse::kRead);
  LoadTarget(e, kTemp0);
  e.EmitStackMove(static_cast<int32_t>(bytes) + extra);
  e.JumpToTemp0();
  return Emitted::kEnds;
}

// JCXZ, JECXZ, JRCXZ and LOOP, LOOPE, LOOPNE count in the register of the address size.
Emitted EmitCountedBranch(Emission& e) {
  x86::Assembler& a = e.a();
  const uint16_t mnemonic = e.insn().mnemonic;
  const bool loop = mnemonic == ZYDIS_MNEMONIC_LOOP || mnemonic == ZYDIS_MNEMONIC_LOOPE ||
                    mnemonic == ZYDIS_MNEMONIC_LOOPNE;
  const uint32_t bytes = e.insn().address_bytes;
  if (loop) {
    switch (bytes) {
      case 8: a.lea(x86::rcx, x86::ptr(x86::rcx, -1)); break;
      case 4: a.lea(x86::ecx, x86::ptr(x86::rcx, -1)); break;
      default: a.lea(x86::cx, x86::ptr(x86::rcx, -1));
    }
  }
  // The count, where JRCXZ can look at it.
  const asmjit::Label zero = a.newLabel();
  const asmjit::Label taken = a.newLabel();
  const asmjit::Label not_taken = a.newLabel();
  if (bytes == 2) {
    a.mov(CpuField(offsetof(Cpu, saved_rcx)), x86::rcx);
    a.movzx(x86::ecx, x86::cx);
    const asmjit::Label is_zero = a.newLabel();
    const asmjit::Label go_on = a.newLabel();
    a.short_().jecxz(x86::rcx, is_zero);
    a.mov(x86::rcx, CpuField(offsetof(Cpu, saved_rcx)));
    a.short_().jmp(go_on);
    a.bind(is_zero);
    a.mov(x86::rcx, CpuField(offsetof(Cpu, saved_rcx)));
    a.jmp(zero);
    a.bind(go_on);
  } else {
    const asmjit::Label near_zero = a.newLabel();
    const asmjit::Label go_on = a.newLabel();
    const x86::Gp count = bytes == 8 ? x86::Gp(x86::rcx) : x86::Gp(x86::ecx);
    a.short_().jecxz(count, near_zero);
    a.short_().jmp(go_on);
    a.bind(near_zero);
    a.long_().jmp(zero);
    a.bind(go_on);
  }
  // The count is not zero.
  if (!loop) {
    a.jmp(not_taken);
    a.bind(zero);
    a.jmp(taken);
  } else {
    if (mnemonic == ZYDIS_MNEMONIC_LOOPE) a.jnz(not_taken);
    if (mnemonic == ZYDIS_MNEMONIC_LOOPNE) a.jz(not_taken);
    a.jmp(taken);
    a.bind(zero);
  }
  a.bind(not_taken);
  e.JumpTo(e.next_rip());
  e.a().bind(taken);
  e.JumpTo(DirectTarget(e));
  return Emitted::kEnds;
}

}  // namespace

Emitted EmitBranch(Emission& e) {
  const int condition = ConditionOf(e.insn());
  if (condition >= 0) {
    if (e.onward() == Onward::kTaken) {
      e.JumpToIf(JumpIf(condition ^ 1), e.next_rip());
      return Emitted::kGoesOn;
    }
    e.JumpToIf(JumpIf(condition), DirectTarget(e));
    if (e.onward() == Onward::kNext) return Emitted::kGoesOn;
    e.JumpTo(e.next_rip());
    return Emitted::kEnds;
  }
  switch (e.insn().mnemonic) {
    case ZYDIS_MNEMONIC_JMP:
      if (e.onward() == Onward::kTaken) return Emitted::kGoesOn;
      if (IsDirect(e)) {
        e.JumpTo(DirectTarget(e));
      } else {
        EmitIndirectTarget(e);
        e.JumpToTemp0();
      }
      return Emitted::kEnds;
    case ZYDIS_MNEMONIC_CALL: return EmitCall(e);
    case ZYDIS_MNEMONIC_RET: return EmitReturn(e);
    case ZYDIS_MNEMONIC_JCXZ:
    case ZYDIS_MNEMONIC_JECXZ:
    case ZYDIS_MNEMONIC_JRCXZ:
    case ZYDIS_MNEMONIC_LOOP:
    case ZYDIS_MNEMONIC_LOOPE:
    case ZYDIS_MNEMONIC_LOOPNE: return EmitCountedBranch(e);
    default: return Emitted::kNot;
  }
}

}  // namespace hv::soft
