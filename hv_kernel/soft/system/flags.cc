// Instructions on RFLAGS that need more than the arithmetic flags: CLI, STI, CLD, STD, CLAC, STAC,
// PUSHF, POPF (Intel SDM vol. 2).
#include "hv_kernel/soft/memory/linear_access.h"
#include "hv_kernel/soft/system/instructions.h"
#include "hv_kernel/soft/system/operand_access.h"

namespace hv::soft {
namespace {

constexpr uint64_t kAlwaysOne = 2;
constexpr uint32_t kStiShadow = 1;

uint32_t IoPrivilege(const Cpu& cpu) { return (cpu.rflags & kFlagIopl) >> 12; }

bool Virtual8086(const Cpu& cpu) { return (cpu.rflags & kFlagVm) != 0; }

// May the current privilege change IF? VME and PVI are not offered in CPUID, so no virtual IF.
bool MayChangeInterruptFlag(const Cpu& cpu) {
  if ((cpu.cr0 & kCr0Pe) == 0) return true;
  if (Virtual8086(cpu)) return IoPrivilege(cpu) == 3;
  return PrivilegeLevel(cpu) <= IoPrivilege(cpu);
}

Outcome GeneralProtection(Cpu& cpu) { return RaiseWithCode(cpu, Vector::kGeneralProtection, 0); }

}  // namespace

Outcome Cli(Cpu& cpu, const Instruction&) {
  if (!MayChangeInterruptFlag(cpu)) return GeneralProtection(cpu);
  cpu.rflags &= ~kFlagIf;
  return Outcome::kDone;
}

Outcome Sti(Cpu& cpu, const Instruction&) {
  if (!MayChangeInterruptFlag(cpu)) return GeneralProtection(cpu);
  if ((cpu.rflags & kFlagIf) == 0) cpu.interrupt_shadow = kStiShadow;
  cpu.rflags |= kFlagIf;
  return Outcome::kDone;
}

Outcome Cld(Cpu& cpu, const Instruction&) {
  cpu.rflags &= ~kFlagDf;
  return Outcome::kDone;
}

Outcome Std(Cpu& cpu, const Instruction&) {
  cpu.rflags |= kFlagDf;
  return Outcome::kDone;
}

Outcome Clac(Cpu& cpu, const Instruction&) {
  if (PrivilegeLevel(cpu) != 0) return Raise(cpu, Vector::kInvalidOpcode);
  cpu.rflags &= ~kFlagAc;
  return Outcome::kDone;
}

Outcome Stac(Cpu& cpu, const Instruction&) {
  if (PrivilegeLevel(cpu) != 0) return Raise(cpu, Vector::kInvalidOpcode);
  cpu.rflags |= kFlagAc;
  return Outcome::kDone;
}

Outcome Pushf(Cpu& cpu, const Instruction& insn) {
  if (Virtual8086(cpu) && IoPrivilege(cpu) < 3) return GeneralProtection(cpu);
  return Push(cpu, cpu.rflags & ~(kFlagRf | kFlagVm), insn.operand_bytes);
}

Outcome Popf(Cpu& cpu, const Instruction& insn) {
  if (Virtual8086(cpu) && IoPrivilege(cpu) < 3) return GeneralProtection(cpu);
  uint64_t value;
  HV_RETURN_UNLESS_DONE(Pop(cpu, value, insn.operand_bytes));
  uint64_t changeable = kArithmeticFlags | kFlagTf | kFlagDf | kFlagNt;
  if (insn.operand_bytes >= 4) changeable |= kFlagAc | kFlagId;
  const bool real = (cpu.cr0 & kCr0Pe) == 0;
  if (real || PrivilegeLevel(cpu) == 0) changeable |= kFlagIopl;
  if (MayChangeInterruptFlag(cpu)) changeable |= kFlagIf;
  cpu.rflags = (cpu.rflags & ~(changeable | kFlagRf)) | (value & changeable) | kAlwaysOne;
  return Outcome::kDone;
}

}  // namespace hv::soft
