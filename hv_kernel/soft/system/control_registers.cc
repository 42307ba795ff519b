// MOV to and from control and debug registers and what belongs to them: CLTS, LMSW, SMSW, XSETBV,
// XGETBV, INVLPG, INVPCID (Intel SDM vol. 3, 2.5 and 17.2).
#include "hv_kernel/soft/memory/linear_access.h"
#include "hv_kernel/soft/memory/tlb.h"
#include "hv_kernel/soft/system/breakpoints.h"
#include "hv_kernel/soft/system/instructions.h"
#include "hv_kernel/soft/system/operand_access.h"

namespace hv::soft {
namespace {

constexpr uint64_t kCr0Et = 1u << 4;
constexpr uint64_t kCr0Writable =
    kCr0Pe | kCr0Mp | kCr0Em | kCr0Ts | kCr0Ne | kCr0Wp | kCr0Am | kCr0Nw | kCr0Cd | kCr0Pg;
constexpr uint64_t kCr4Writable = kCr4Tsd | kCr4De | kCr4Pse | kCr4Pae | kCr4Mce | kCr4Pge |
                                  kCr4Pce | kCr4Osfxsr | kCr4Osxmmexcpt | kCr4Umip | kCr4Fsgsbase |
                                  kCr4Pcide | kCr4Osxsave | kCr4Smep | kCr4Smap;
constexpr uint64_t kCr3NoFlush = 1ull << 63;
constexpr uint64_t kPcidMask = 0xfff;
constexpr uint64_t kSupportedXcr0 = 7;  // x87, SSE, AVX
constexpr uint64_t kDr7Writable = 0xffff23ff;
constexpr uint64_t kDr7Fixed = 0x400;
constexpr uint64_t kDr6Writable = 0xe00f;
constexpr uint64_t kDr6Fixed = 0xffff0ff0;

Outcome GeneralProtection(Cpu& cpu) { return RaiseWithCode(cpu, Vector::kGeneralProtection, 0); }

Outcome WriteCr0(Cpu& cpu, uint64_t value) {
  if (value >> 32 != 0) return GeneralProtection(cpu);
  value = (value & kCr0Writable) | kCr0Et;
  const bool paging = (value & kCr0Pg) != 0;
  if (paging && (value & kCr0Pe) == 0) return GeneralProtection(cpu);
  if ((value & kCr0Nw) != 0 && (value & kCr0Cd) == 0) return GeneralProtection(cpu);
  const bool was_paging = (cpu.cr0 & kCr0Pg) != 0;
  if (paging && !was_paging && (cpu.efer & kEferLme) != 0) {
    const bool long_code = (cpu.segment[HV_CS].attributes & (1u << 13)) != 0;
    if ((cpu.cr4 & kCr4Pae) == 0 || long_code) return GeneralProtection(cpu);
    cpu.efer |= kEferLma;
  } else if (!paging && was_paging) {
    if (In64BitMode(cpu) || (cpu.cr4 & kCr4Pcide) != 0) return GeneralProtection(cpu);
    cpu.efer &= ~kEferLma;
  }
  const uint64_t changed = cpu.cr0 ^ value;
  cpu.cr0 = value;
  if ((changed & (kCr0Pg | kCr0Wp | kCr0Pe)) != 0) FlushTlb(cpu, false);
  if ((changed & value & kCr0Pe) != 0) {  // the base and limit in force stay; CPL becomes 0
    cpu.segment[HV_SS].attributes &= ~(3u << 5);
  }
  return Outcome::kDone;
}

Outcome WriteCr3(Cpu& cpu, uint64_t value) {
  const bool pcid = (cpu.cr4 & kCr4Pcide) != 0;
  const bool keep = pcid && (value & kCr3NoFlush) != 0;
  if (pcid) value &= ~kCr3NoFlush;
  if (LongModeActive(cpu) && value >> kPhysicalAddressBits != 0) return GeneralProtection(cpu);
  // The buffers are not tagged by PCID: a switch of address spaces drops what is not global,
  // whether or not the guest would have allowed more to stay.
  const bool same_space = keep && value == cpu.cr3;
  cpu.cr3 = value;
  if (!same_space) FlushTlb(cpu, (cpu.cr4 & kCr4Pge) != 0);
  return Outcome::kDone;
}

Outcome WriteCr4(Cpu& cpu, uint64_t value) {
  if ((value & ~kCr4Writable) != 0) return GeneralProtection(cpu);
  const uint64_t changed = cpu.cr4 ^ value;
  if (LongModeActive(cpu) && (value & kCr4Pae) == 0) return GeneralProtection(cpu);
  if ((changed & value & kCr4Pcide) != 0 && (!LongModeActive(cpu) || (cpu.cr3 & kPcidMask) != 0)) {
    return GeneralProtection(cpu);
  }
  cpu.cr4 = value;
  const uint64_t flushing = kCr4Pse | kCr4Pae | kCr4Pge | kCr4Pcide | kCr4Smep | kCr4Smap;
  if ((changed & flushing) != 0) FlushTlb(cpu, false);
  return Outcome::kDone;
}

// TPR is the local APIC's, which has other ways to change it.
Outcome ReadCr8(Cpu& cpu, const Operand& to) {
  cpu.exit = {.reason = ExitReason::kCr8Read, .width = 8};
  cpu.exit_gpr = to.reg;
  return Outcome::kExit;
}

Outcome WriteCr8(Cpu& cpu, uint64_t value) {
  if (value > 15) return GeneralProtection(cpu);
  cpu.cr8 = value;
  cpu.exit = {.reason = ExitReason::kCr8Write, .width = 8, .address = 0, .data = value};
  return Outcome::kExit;
}

bool ControlRegisterExists(uint8_t number) {
  return number == 0 || number == 2 || number == 3 || number == 4 || number == 8;
}

}  // namespace

Outcome MovControl(Cpu& cpu, const Instruction& insn) {
  const bool write = insn.operands[0].kind == Operand::Kind::kControl;
  const uint8_t number = insn.operands[write ? 0 : 1].reg;
  const Operand& gpr = insn.operands[write ? 1 : 0];
  if (!ControlRegisterExists(number)) return Raise(cpu, Vector::kInvalidOpcode);
  if (PrivilegeLevel(cpu) != 0) return GeneralProtection(cpu);
  if (!write) {
    if (number == 8) return ReadCr8(cpu, gpr);
    const uint64_t values[] = {cpu.cr0, 0, cpu.cr2, cpu.cr3, cpu.cr4};
    WriteGpr(cpu, gpr, values[number]);
    return Outcome::kDone;
  }
  const uint64_t value = ReadGpr(cpu, gpr);
  switch (number) {
    case 0: return WriteCr0(cpu, value);
    case 2: cpu.cr2 = value; return Outcome::kDone;
    case 3: return WriteCr3(cpu, value);
    case 4: return WriteCr4(cpu, value);
    default: return WriteCr8(cpu, value);
  }
}

Outcome MovDebug(Cpu& cpu, const Instruction& insn) {
  const bool write = insn.operands[0].kind == Operand::Kind::kDebug;
  uint8_t number = insn.operands[write ? 0 : 1].reg;
  const Operand& gpr = insn.operands[write ? 1 : 0];
  if (number == 4 || number == 5) {
    if ((cpu.cr4 & kCr4De) != 0) return Raise(cpu, Vector::kInvalidOpcode);
    number += 2;
  }
  if (number > 7) return Raise(cpu, Vector::kInvalidOpcode);
  if (PrivilegeLevel(cpu) != 0) return GeneralProtection(cpu);
  if ((cpu.dr[7] & kDr7GeneralDetect) != 0) {
    Raise(cpu, Vector::kDebug);
    cpu.exception.general_detect = true;
    cpu.exception.address = kDr6DebugRegisterAccess;
    return Outcome::kException;
  }
  if (!write) {
    WriteGpr(cpu, gpr, cpu.dr[number]);
    return Outcome::kDone;
  }
  const uint64_t value = ReadGpr(cpu, gpr);
  if (number >= 6 && value >> 32 != 0) return GeneralProtection(cpu);
  if (number == 6) {
    cpu.dr[6] = (value & kDr6Writable) | kDr6Fixed;
    return Outcome::kDone;
  }
  const bool were_watching = AnyBreakpoint(cpu);
  cpu.dr[number] = number == 7 ? (value & kDr7Writable) | kDr7Fixed : value;
  // Which pages the TLB may serve depends on the data breakpoints.
  if (were_watching || AnyBreakpoint(cpu)) FlushTlb(cpu, /*keep_global=*/false);
  return Outcome::kDone;
}

Outcome Clts(Cpu& cpu, const Instruction&) {
  if (PrivilegeLevel(cpu) != 0) return GeneralProtection(cpu);
  cpu.cr0 &= ~kCr0Ts;
  return Outcome::kDone;
}

Outcome Lmsw(Cpu& cpu, const Instruction& insn) {
  if (PrivilegeLevel(cpu) != 0) return GeneralProtection(cpu);
  uint64_t value;
  HV_RETURN_UNLESS_DONE(ReadOperand(cpu, insn, insn.operands[0], value, 2));
  // PE can be set but not cleared.
  const uint64_t low = (value & 0xf) | (cpu.cr0 & kCr0Pe);
  return WriteCr0(cpu, (cpu.cr0 & ~uint64_t{0xf}) | low);
}

Outcome Smsw(Cpu& cpu, const Instruction& insn) {
  if ((cpu.cr4 & kCr4Umip) != 0 && PrivilegeLevel(cpu) != 0) return GeneralProtection(cpu);
  const Operand& to = insn.operands[0];
  return WriteOperand(cpu, insn, to, cpu.cr0, to.kind == Operand::Kind::kMemory ? 2 : to.bytes);
}

Outcome Xsetbv(Cpu& cpu, const Instruction&) {
  if ((cpu.cr4 & kCr4Osxsave) == 0) return Raise(cpu, Vector::kInvalidOpcode);
  const uint64_t value = cpu.gpr[HV_RDX] << 32 | (cpu.gpr[HV_RAX] & 0xffffffffu);
  const bool valid =
      (value & 1) != 0 && (value & ~kSupportedXcr0) == 0 && ((value & 4) == 0 || (value & 2) != 0);
  const bool xcr0 = (cpu.gpr[HV_RCX] & 0xffffffffu) == 0;
  if (PrivilegeLevel(cpu) != 0 || !xcr0 || !valid) return GeneralProtection(cpu);
  cpu.xcr0 = value;
  return Outcome::kDone;
}

Outcome Xgetbv(Cpu& cpu, const Instruction&) {
  if ((cpu.cr4 & kCr4Osxsave) == 0) return Raise(cpu, Vector::kInvalidOpcode);
  // XGETBV with ECX = 1 is not offered in CPUID.
  if ((cpu.gpr[HV_RCX] & 0xffffffffu) != 0) return GeneralProtection(cpu);
  cpu.gpr[HV_RAX] = cpu.xcr0 & 0xffffffffu;
  cpu.gpr[HV_RDX] = cpu.xcr0 >> 32;
  return Outcome::kDone;
}

Outcome Invlpg(Cpu& cpu, const Instruction& insn) {
  if (PrivilegeLevel(cpu) != 0) return GeneralProtection(cpu);
  const Operand& operand = insn.operands[0];
  const uint64_t linear = SegmentBase(cpu, operand.segment) + EffectiveOffset(cpu, insn, operand);
  FlushTlbPage(cpu, linear);
  return Outcome::kDone;
}

Outcome Invpcid(Cpu& cpu, const Instruction& insn) {
  if (PrivilegeLevel(cpu) != 0) return GeneralProtection(cpu);
  uint64_t linear;
  HV_RETURN_UNLESS_DONE(LinearOf(cpu, insn, insn.operands[1], 16, false, linear));
  uint64_t descriptor[2];
  HV_RETURN_UNLESS_DONE(
      ReadLinear(cpu, linear, descriptor, sizeof(descriptor), CurrentTlbIndex(cpu)));
  const uint64_t type = ReadGpr(cpu, insn.operands[0]);
  if (type > 3 || (descriptor[0] & ~kPcidMask) != 0) return GeneralProtection(cpu);
  const bool pcids = (cpu.cr4 & kCr4Pcide) != 0;
  if (type <= 1 && !pcids && descriptor[0] != 0) return GeneralProtection(cpu);
  switch (type) {
    case 0:
      if (!IsCanonical(descriptor[1])) return GeneralProtection(cpu);
      FlushTlbPage(cpu, descriptor[1]);
      break;
    case 2: FlushTlb(cpu, false); break;
    default: FlushTlb(cpu, true);
  }
  return Outcome::kDone;
}

}  // namespace hv::soft
