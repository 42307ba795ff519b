// SYSCALL, SYSRET, SYSENTER, SYSEXIT (Intel SDM vol. 2; vol. 3, 5.8.7 and 5.8.8). Vendors differ in
// where they allow them: SYSCALL from compatibility mode is AMD's, SYSENTER in long mode Intel's.
// Both work here, whatever vendor CPUID names.
#include "hv_kernel/soft/memory/linear_access.h"
#include "hv_kernel/soft/system/instructions.h"
#include "hv_kernel/soft/system/operand_access.h"
#include "hv_kernel/soft/system/segments.h"

namespace hv::soft {
namespace {

constexpr uint64_t kAlwaysOne = 2;
constexpr uint64_t kFlagsOfSysret = 0x3c7fd7;

Outcome GeneralProtection(Cpu& cpu) { return RaiseWithCode(cpu, Vector::kGeneralProtection, 0); }

}  // namespace

Outcome Syscall(Cpu& cpu, const Instruction&) {
  if ((cpu.efer & kEferSce) == 0 || !LongModeActive(cpu)) {
    return Raise(cpu, Vector::kInvalidOpcode);
  }
  const auto selector = static_cast<uint16_t>(cpu.star >> 32 & 0xfffc);
  const bool from_64bit = In64BitMode(cpu);
  cpu.gpr[HV_RCX] = cpu.next_rip;
  cpu.gpr[HV_R11] = cpu.rflags & ~kFlagRf;
  cpu.next_rip = from_64bit ? cpu.lstar : cpu.cstar;
  cpu.rflags = (cpu.rflags & ~(cpu.sfmask | kFlagRf)) | kAlwaysOne;
  // Whether it traps is for the new TF to say, so that a masked one does not step into the kernel
  // (AMD APM vol. 2, 13.1.4).
  cpu.single_step = (cpu.rflags & kFlagTf) != 0;
  cpu.segment[HV_CS] = FlatSegment(selector, true, 0, true);
  cpu.segment[HV_SS] = FlatSegment(static_cast<uint16_t>(selector + 8), false, 0, false);
  return Outcome::kDone;
}

Outcome Sysret(Cpu& cpu, const Instruction& insn) {
  if ((cpu.efer & kEferSce) == 0 || !LongModeActive(cpu)) {
    return Raise(cpu, Vector::kInvalidOpcode);
  }
  if (PrivilegeLevel(cpu) != 0) return GeneralProtection(cpu);
  const bool to_64bit = insn.operand_bytes == 8;
  if (to_64bit && !IsCanonical(cpu.gpr[HV_RCX])) return GeneralProtection(cpu);
  const auto base = static_cast<uint16_t>(cpu.star >> 48);
  cpu.rflags = (cpu.gpr[HV_R11] & kFlagsOfSysret & ~(kFlagRf | kFlagVm)) | kAlwaysOne;
  cpu.single_step = (cpu.rflags & kFlagTf) != 0;
  const auto cs = static_cast<uint16_t>((to_64bit ? base + 16 : base) | 3);
  cpu.segment[HV_CS] = FlatSegment(cs, true, 3, to_64bit);
  cpu.segment[HV_SS] = FlatSegment(static_cast<uint16_t>((base + 8) | 3), false, 3, false);
  cpu.next_rip = to_64bit ? cpu.gpr[HV_RCX] : cpu.gpr[HV_RCX] & 0xffffffffu;
  return Outcome::kDone;
}

Outcome Sysenter(Cpu& cpu, const Instruction&) {
  if (RealMode(cpu) || (cpu.sysenter_cs & 0xfffc) == 0) return GeneralProtection(cpu);
  const auto selector = static_cast<uint16_t>(cpu.sysenter_cs & 0xfffc);
  const bool long_mode = LongModeActive(cpu);
  cpu.rflags &= ~(kFlagVm | kFlagIf | kFlagRf);
  cpu.segment[HV_CS] = FlatSegment(selector, true, 0, long_mode);
  cpu.segment[HV_SS] = FlatSegment(static_cast<uint16_t>(selector + 8), false, 0, false);
  cpu.gpr[HV_RSP] = long_mode ? cpu.sysenter_esp : cpu.sysenter_esp & 0xffffffffu;
  cpu.next_rip = long_mode ? cpu.sysenter_eip : cpu.sysenter_eip & 0xffffffffu;
  return Outcome::kDone;
}

Outcome Sysexit(Cpu& cpu, const Instruction& insn) {
  if (RealMode(cpu) || (cpu.sysenter_cs & 0xfffc) == 0 || PrivilegeLevel(cpu) != 0) {
    return GeneralProtection(cpu);
  }
  const bool to_64bit = insn.operand_bytes == 8;
  if (to_64bit && (!IsCanonical(cpu.gpr[HV_RDX]) || !IsCanonical(cpu.gpr[HV_RCX]))) {
    return GeneralProtection(cpu);
  }
  const auto base = static_cast<uint16_t>(cpu.sysenter_cs + (to_64bit ? 32 : 16));
  cpu.segment[HV_CS] = FlatSegment(static_cast<uint16_t>(base | 3), true, 3, to_64bit);
  cpu.segment[HV_SS] = FlatSegment(static_cast<uint16_t>((base + 8) | 3), false, 3, false);
  cpu.gpr[HV_RSP] = to_64bit ? cpu.gpr[HV_RCX] : cpu.gpr[HV_RCX] & 0xffffffffu;
  cpu.next_rip = to_64bit ? cpu.gpr[HV_RDX] : cpu.gpr[HV_RDX] & 0xffffffffu;
  return Outcome::kDone;
}

}  // namespace hv::soft
