#include "hv_kernel/soft/differential/exclusions.h"

namespace hv::soft::differential {
namespace {

const std::vector<Exclusion>& Table() {
  static const std::vector<Exclusion> table = {
      {"the answer differs from one execution to the next, or is the CPUID policy's",
       {ZYDIS_MNEMONIC_RDTSC, ZYDIS_MNEMONIC_RDTSCP, ZYDIS_MNEMONIC_RDRAND, ZYDIS_MNEMONIC_RDSEED,
        ZYDIS_MNEMONIC_CPUID, ZYDIS_MNEMONIC_RDPID, ZYDIS_MNEMONIC_RDPMC, ZYDIS_MNEMONIC_RDPRU,
        ZYDIS_MNEMONIC_XGETBV}},
      {"natively it calls the host's kernel",
       {ZYDIS_MNEMONIC_SYSCALL, ZYDIS_MNEMONIC_SYSENTER, ZYDIS_MNEMONIC_INT}},
      {"natively it calls the host's hypervisor; the engine answers the guest itself",
       {ZYDIS_MNEMONIC_VMCALL, ZYDIS_MNEMONIC_VMMCALL, ZYDIS_MNEMONIC_VMFUNC}},
      {"under a hypervisor the host may report it at the instruction instead of after it",
       {ZYDIS_MNEMONIC_INT1}},
      {"vendors differ: undefined in long mode on AMD, privileged on Intel",
       {ZYDIS_MNEMONIC_SYSEXIT, ZYDIS_MNEMONIC_SYSRET}},
      {"FS is this process's thread pointer", {ZYDIS_MNEMONIC_RDFSBASE, ZYDIS_MNEMONIC_WRFSBASE}},
      {"the outcome depends on the descriptor tables; see integration_tests/guest_code",
       {ZYDIS_MNEMONIC_LFS, ZYDIS_MNEMONIC_LGS, ZYDIS_MNEMONIC_LSS, ZYDIS_MNEMONIC_LAR,
        ZYDIS_MNEMONIC_LSL, ZYDIS_MNEMONIC_VERR, ZYDIS_MNEMONIC_VERW, ZYDIS_MNEMONIC_IRET,
        ZYDIS_MNEMONIC_IRETD, ZYDIS_MNEMONIC_IRETQ}},
      {"Linux sets UMIP and emulates it with made-up values",
       {ZYDIS_MNEMONIC_SGDT, ZYDIS_MNEMONIC_SIDT, ZYDIS_MNEMONIC_SLDT, ZYDIS_MNEMONIC_STR,
        ZYDIS_MNEMONIC_SMSW}},
      {"random flags would single-step the test; see integration_tests/guest_code",
       {ZYDIS_MNEMONIC_POPF, ZYDIS_MNEMONIC_POPFD, ZYDIS_MNEMONIC_POPFQ}},
      {"masked in CPUID, as they need the engine's own support: #UD in the guest, whatever the "
       "host does",
       {ZYDIS_MNEMONIC_MONITOR,   ZYDIS_MNEMONIC_MWAIT,    ZYDIS_MNEMONIC_MONITORX,
        ZYDIS_MNEMONIC_MWAITX,    ZYDIS_MNEMONIC_UMONITOR, ZYDIS_MNEMONIC_UMWAIT,
        ZYDIS_MNEMONIC_TPAUSE,    ZYDIS_MNEMONIC_XBEGIN,   ZYDIS_MNEMONIC_XEND,
        ZYDIS_MNEMONIC_XABORT,    ZYDIS_MNEMONIC_XTEST,    ZYDIS_MNEMONIC_RDPKRU,
        ZYDIS_MNEMONIC_WRPKRU,    ZYDIS_MNEMONIC_ENCLU,    ZYDIS_MNEMONIC_ENCLV,
        ZYDIS_MNEMONIC_ENCLS,     ZYDIS_MNEMONIC_ENQCMD,   ZYDIS_MNEMONIC_ENQCMDS,
        ZYDIS_MNEMONIC_MOVDIR64B, ZYDIS_MNEMONIC_MOVDIRI,  ZYDIS_MNEMONIC_CLUI,
        ZYDIS_MNEMONIC_STUI,      ZYDIS_MNEMONIC_TESTUI,   ZYDIS_MNEMONIC_UIRET,
        ZYDIS_MNEMONIC_SENDUIPI,  ZYDIS_MNEMONIC_PTWRITE,  ZYDIS_MNEMONIC_HRESET,
        ZYDIS_MNEMONIC_XSUSLDTRK, ZYDIS_MNEMONIC_XRESLDTRK}},
      {"masked in CPUID: shadow stacks and bound registers",
       {ZYDIS_MNEMONIC_RDSSPD, ZYDIS_MNEMONIC_RDSSPQ, ZYDIS_MNEMONIC_INCSSPD,
        ZYDIS_MNEMONIC_INCSSPQ, ZYDIS_MNEMONIC_SAVEPREVSSP, ZYDIS_MNEMONIC_RSTORSSP,
        ZYDIS_MNEMONIC_SETSSBSY, ZYDIS_MNEMONIC_CLRSSBSY, ZYDIS_MNEMONIC_WRSSD,
        ZYDIS_MNEMONIC_WRSSQ, ZYDIS_MNEMONIC_WRUSSD, ZYDIS_MNEMONIC_WRUSSQ, ZYDIS_MNEMONIC_BNDMK,
        ZYDIS_MNEMONIC_BNDCL, ZYDIS_MNEMONIC_BNDCU, ZYDIS_MNEMONIC_BNDCN, ZYDIS_MNEMONIC_BNDMOV,
        ZYDIS_MNEMONIC_BNDLDX, ZYDIS_MNEMONIC_BNDSTX}},
      {"needs a well-formed state image; see integration_tests/guest_code/extended_state.S",
       {ZYDIS_MNEMONIC_XSAVE, ZYDIS_MNEMONIC_XSAVE64, ZYDIS_MNEMONIC_XSAVEC,
        ZYDIS_MNEMONIC_XSAVEC64, ZYDIS_MNEMONIC_XSAVEOPT, ZYDIS_MNEMONIC_XSAVEOPT64,
        ZYDIS_MNEMONIC_XSAVES, ZYDIS_MNEMONIC_XSAVES64, ZYDIS_MNEMONIC_XRSTOR,
        ZYDIS_MNEMONIC_XRSTOR64, ZYDIS_MNEMONIC_XRSTORS, ZYDIS_MNEMONIC_XRSTORS64,
        ZYDIS_MNEMONIC_FXSAVE, ZYDIS_MNEMONIC_FXSAVE64, ZYDIS_MNEMONIC_FXRSTOR,
        ZYDIS_MNEMONIC_FXRSTOR64}},
      {"stores the host address of the last x87 instruction, which is not the guest's",
       {ZYDIS_MNEMONIC_FNSTENV, ZYDIS_MNEMONIC_FNSAVE}},
  };
  return table;
}

bool LoadsSegment(const Form& form) {
  const bool mov = form.map == 0 && form.opcode == 0x8e;
  const bool pop = form.map == 1 && (form.opcode == 0xa1 || form.opcode == 0xa9);
  const bool old_pop =
      form.map == 0 && (form.opcode == 0x07 || form.opcode == 0x17 || form.opcode == 0x1f);
  return !form.vex && (mov || pop || (form.compatibility && old_pop));
}

bool PushesSegment(const Form& form) {
  const bool old_push = form.map == 0 && (form.opcode == 0x06 || form.opcode == 0x0e ||
                                          form.opcode == 0x16 || form.opcode == 0x1e);
  const bool push = form.map == 1 && (form.opcode == 0xa0 || form.opcode == 0xa8);
  return !form.vex && (old_push || push);
}

bool IsFarTransfer(const Form& form) {
  if (form.vex || form.map != 0) return false;
  if (form.opcode == 0xca || form.opcode == 0xcb) return true;
  if (form.compatibility && (form.opcode == 0x9a || form.opcode == 0xea)) return true;
  const int extension = form.modrm.empty() ? 0 : form.modrm[0] >> 3 & 7;
  return form.opcode == 0xff && (extension == 3 || extension == 5);
}

bool IsNearBranch(const Form& form) {
  if (form.vex) return false;
  const int extension = form.modrm.empty() ? 0 : form.modrm[0] >> 3 & 7;
  if (form.map == 1) return (form.opcode & 0xf0) == 0x80;
  if (form.map != 0) return false;
  return (form.opcode & 0xf0) == 0x70 || (form.opcode >= 0xe0 && form.opcode <= 0xe3) ||
         form.opcode == 0xe8 || form.opcode == 0xe9 || form.opcode == 0xeb || form.opcode == 0xc2 ||
         form.opcode == 0xc3 || (form.opcode == 0xff && (extension == 2 || extension == 4));
}

bool HasOperandSizePrefix(const Form& form) {
  for (uint8_t prefix : form.prefixes) {
    if (prefix == 0x66) return true;
  }
  return false;
}

}  // namespace

std::span<const Exclusion> Exclusions() { return Table(); }

const char* WhyExcluded(const Form& form) {
  for (const Exclusion& exclusion : Table()) {
    for (ZydisMnemonic mnemonic : exclusion.mnemonics) {
      if (mnemonic == form.mnemonic) return exclusion.reason;
    }
  }
  if (LoadsSegment(form) || IsFarTransfer(form)) {
    return "the outcome depends on the descriptor tables; see integration_tests/guest_code";
  }
  switch (form.extension) {
    case ZYDIS_ISA_EXT_AVX512EVEX:
    case ZYDIS_ISA_EXT_AVX512VEX:
    case ZYDIS_ISA_EXT_KNC:
    case ZYDIS_ISA_EXT_KNCE:
    case ZYDIS_ISA_EXT_KNCV: return "masked in CPUID: AVX-512 state is not kept for the guest";
    case ZYDIS_ISA_EXT_AMX_BF16:
    case ZYDIS_ISA_EXT_AMX_INT8:
    case ZYDIS_ISA_EXT_AMX_TILE: return "masked in CPUID: AMX tiles are not kept for the guest";
    case ZYDIS_ISA_EXT_SSE4A:
    case ZYDIS_ISA_EXT_FMA4:
    case ZYDIS_ISA_EXT_TBM:
    case ZYDIS_ISA_EXT_XOP:
    case ZYDIS_ISA_EXT_CLZERO:
    case ZYDIS_ISA_EXT_MCOMMIT:
      return "masked in CPUID: AMD's own, most of it gone from its current CPUs";
    case ZYDIS_ISA_EXT_PADLOCK: return "VIA's own; other CPUs decode these bytes in their own ways";
    case ZYDIS_ISA_EXT_AMD_INVLPGB:
    case ZYDIS_ISA_EXT_SNP:
    case ZYDIS_ISA_EXT_SVM:
    case ZYDIS_ISA_EXT_TDX:
    case ZYDIS_ISA_EXT_VTX: return "masked in CPUID: virtualization is not nested";
    default: break;
  }
  if (form.mnemonic == ZYDIS_MNEMONIC_NOP && form.map == 1 && form.opcode == 0x0d) {
    return "vendors differ: PREFETCHW of a register is #UD on AMD, a NOP on Intel";
  }
  if (form.compatibility && PushesSegment(form) && !HasOperandSizePrefix(form)) {
    return "vendors differ: AMD zeroes the upper half of the slot, Intel leaves it alone";
  }
  if (IsNearBranch(form) && HasOperandSizePrefix(form)) {
    return "vendors differ: AMD cuts RIP to 16 bits, Intel ignores the prefix";
  }
  return nullptr;
}

}  // namespace hv::soft::differential
