// HLT, cache instructions, undefined opcodes, hypercalls, software interrupts, and the stack
// instructions of 16- and 32-bit code (Intel SDM vol. 2).
#include <Zydis/Mnemonic.h>

#include "hv_kernel/soft/memory/linear_access.h"
#include "hv_kernel/soft/system/events.h"
#include "hv_kernel/soft/system/instructions.h"
#include "hv_kernel/soft/system/operand_access.h"

namespace hv::soft {
namespace {

// What KVM answers to an unknown hypercall, and Linux takes for "not there": -KVM_ENOSYS. And to
// any hypercall of user mode: -KVM_EPERM.
constexpr int64_t kNoSuchHypercall = -1000;
constexpr int64_t kNotPermitted = -1;

Outcome GeneralProtection(Cpu& cpu) { return RaiseWithCode(cpu, Vector::kGeneralProtection, 0); }

}  // namespace

Outcome Halt(Cpu& cpu, const Instruction&) {
  if (PrivilegeLevel(cpu) != 0) return GeneralProtection(cpu);
  cpu.halted = true;
  return Outcome::kDone;
}

Outcome Privileged(Cpu& cpu, const Instruction&) {
  return PrivilegeLevel(cpu) == 0 ? Outcome::kDone : GeneralProtection(cpu);
}

Outcome FlushLine(Cpu& cpu, const Instruction& insn) {
  uint64_t linear;
  HV_RETURN_UNLESS_DONE(LinearOf(cpu, insn, insn.operands[0], 1, false, linear));
  Location location;
  const bool stack = insn.operands[0].segment == HV_SS;
  return Locate(cpu, linear, AccessKind::kRead, CurrentTlbIndex(cpu), stack, location);
}

Outcome Undefined(Cpu& cpu, const Instruction&) { return Raise(cpu, Vector::kInvalidOpcode); }

Outcome Hypercall(Cpu& cpu, const Instruction&) {
  const int64_t answer = PrivilegeLevel(cpu) == 0 ? kNoSuchHypercall : kNotPermitted;
  WriteGpr(cpu, HV_RAX, In64BitMode(cpu) ? 8 : 4, static_cast<uint64_t>(answer));
  return Outcome::kDone;
}

Outcome SoftwareInt(Cpu& cpu, const Instruction& insn) {
  switch (insn.mnemonic) {
    case ZYDIS_MNEMONIC_INT3: return SoftwareInterrupt(cpu, 3);
    case ZYDIS_MNEMONIC_INT1: return DebugInterrupt(cpu);
    case ZYDIS_MNEMONIC_INTO:
      if ((cpu.rflags & kFlagOf) == 0) return Outcome::kDone;
      return SoftwareInterrupt(cpu, 4);
    default: return SoftwareInterrupt(cpu, static_cast<uint8_t>(insn.operands[0].value));
  }
}

Outcome Leave(Cpu& cpu, const Instruction& insn) {
  const uint64_t rsp = cpu.gpr[HV_RSP];
  WriteGpr(cpu, HV_RSP, StackAddressBytes(cpu), cpu.gpr[HV_RBP]);
  uint64_t value;
  const Outcome outcome = Pop(cpu, value, insn.operand_bytes);
  if (outcome != Outcome::kDone) {
    cpu.gpr[HV_RSP] = rsp;
    return outcome;
  }
  WriteGpr(cpu, HV_RBP, insn.operand_bytes, value);
  return Outcome::kDone;
}

Outcome Enter(Cpu& cpu, const Instruction& insn) {
  const uint32_t bytes = insn.operand_bytes;
  const uint64_t space = static_cast<uint64_t>(insn.operands[0].value) & 0xffff;
  const int levels = static_cast<int>(insn.operands[1].value) & 31;
  const uint64_t rsp = cpu.gpr[HV_RSP];
  const uint64_t rbp = cpu.gpr[HV_RBP];
  Outcome outcome = Push(cpu, rbp, bytes);
  const uint64_t frame = cpu.gpr[HV_RSP];
  for (int level = 1; level < levels && outcome == Outcome::kDone; ++level) {
    const uint64_t offset = (rbp - uint64_t{bytes} * level) & WidthMask(StackAddressBytes(cpu));
    uint64_t linear;
    uint64_t value = 0;
    outcome = Linear(cpu, HV_SS, offset, bytes, false, linear);
    if (outcome == Outcome::kDone) {
      outcome = ReadLinear(cpu, linear, &value, bytes, CurrentTlbIndex(cpu), true);
    }
    if (outcome == Outcome::kDone) outcome = Push(cpu, value, bytes);
  }
  if (outcome == Outcome::kDone && levels > 0) outcome = Push(cpu, frame, bytes);
  if (outcome != Outcome::kDone) {
    cpu.gpr[HV_RSP] = rsp;
    return outcome;
  }
  WriteGpr(cpu, HV_RBP, bytes, frame);
  WriteGpr(cpu, HV_RSP, StackAddressBytes(cpu), cpu.gpr[HV_RSP] - space);
  return Outcome::kDone;
}

Outcome Pusha(Cpu& cpu, const Instruction& insn) {
  const uint64_t rsp = cpu.gpr[HV_RSP];
  for (int reg = HV_RAX; reg <= HV_RDI; ++reg) {
    const uint64_t value = reg == HV_RSP ? rsp : cpu.gpr[reg];
    if (const Outcome outcome = Push(cpu, value, insn.operand_bytes); outcome != Outcome::kDone) {
      cpu.gpr[HV_RSP] = rsp;
      return outcome;
    }
  }
  return Outcome::kDone;
}

Outcome Popa(Cpu& cpu, const Instruction& insn) {
  const uint64_t rsp = cpu.gpr[HV_RSP];
  uint64_t values[8];
  for (int reg = HV_RDI; reg >= HV_RAX; --reg) {
    if (const Outcome outcome = Pop(cpu, values[reg], insn.operand_bytes);
        outcome != Outcome::kDone) {
      cpu.gpr[HV_RSP] = rsp;
      return outcome;
    }
  }
  for (int reg = HV_RAX; reg <= HV_RDI; ++reg) {
    if (reg != HV_RSP) WriteGpr(cpu, static_cast<uint8_t>(reg), insn.operand_bytes, values[reg]);
  }
  return Outcome::kDone;
}

Outcome Xlat(Cpu& cpu, const Instruction& insn) {
  uint8_t segment = HV_DS;
  for (int i = 0; i < insn.operand_count; ++i) {
    if (insn.operands[i].kind == Operand::Kind::kMemory) segment = insn.operands[i].segment;
  }
  const uint64_t offset =
      (cpu.gpr[HV_RBX] + (cpu.gpr[HV_RAX] & 0xff)) & WidthMask(insn.address_bytes);
  uint64_t linear;
  HV_RETURN_UNLESS_DONE(Linear(cpu, segment, offset, 1, false, linear));
  uint64_t value = 0;
  HV_RETURN_UNLESS_DONE(ReadLinear(cpu, linear, &value, 1, CurrentTlbIndex(cpu)));
  WriteGpr(cpu, HV_RAX, 1, value);
  return Outcome::kDone;
}

}  // namespace hv::soft
