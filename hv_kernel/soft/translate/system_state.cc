// What kernels do on each of their entries to state that generated code can reach: CLI, STI, CLD,
// STD, CLAC, STAC, PUSHF and SWAPGS, where they cannot fault (Intel SDM vol. 2). Elsewhere, and one
// by one, they have handlers.
#include <Zydis/Zydis.h>

#include "hv_kernel/soft/translate/families.h"

namespace hv::soft {
namespace {

namespace x86 = asmjit::x86;

// RFLAGS of the guest that is not in the host's flags.
x86::Mem Rflags() { return CpuField(offsetof(Cpu, rflags)); }

// `to` keeps the bits of `mask` alone. PEXT and PDEP touch no flag.
void Mask(x86::Assembler& a, const x86::Gp& to, const x86::Gp& temp, int32_t mask) {
  a.mov(temp, mask);
  a.pext(to, to, temp);
  a.pdep(to, to, temp);
}

void ChangeBit(Emission& e, uint64_t bit, bool set) {
  x86::Assembler& a = e.a();
  const auto bits = static_cast<int32_t>(bit);
  if (!e.flags_live()) {
    const x86::Mem low = CpuField(offsetof(Cpu, rflags), 4);
    if (set) {
      a.or_(low, bits);
    } else {
      a.and_(low, ~bits);
    }
    return;
  }
  a.mov(kTemp0, Rflags());
  Mask(a, kTemp0, kTemp1, ~bits);
  if (set) a.lea(kTemp0, x86::ptr(kTemp0, bits));
  a.mov(Rflags(), kTemp0);
}

// What may be recognized before the instruction after next is left to the handler; so is an STI
// that might be followed by something else than that instruction.
void EmitSti(Emission& e) {
  x86::Assembler& a = e.a();
  LeaveSite& site = e.NewHandlerSite();
  const asmjit::Label go_on = a.newLabel();
  a.mov(CpuField(offsetof(Cpu, saved_rcx)), x86::rcx);
  a.movzx(x86::ecx, CpuField(offsetof(Cpu, want_interrupt_window), 1));
  a.short_().jecxz(x86::rcx, go_on);
  a.mov(x86::rcx, CpuField(offsetof(Cpu, saved_rcx)));
  e.Leave(site);
  a.bind(go_on);
  a.mov(x86::rcx, CpuField(offsetof(Cpu, saved_rcx)));
  ChangeBit(e, kFlagIf, true);
}

// With SMAP, AC chooses the TLB: another mode.
Emitted ChangeAc(Emission& e, bool set) {
  ChangeBit(e, kFlagAc, set);
  if (!e.mode().smap()) return Emitted::kGoesOn;
  e.LoadImmediate(kTemp0, e.next_rip());
  e.JumpToTemp0(set ? TlbIndex::kSupervisorAc : TlbIndex::kSupervisor);
  return Emitted::kEnds;
}

void EmitPushf(Emission& e) {
  x86::Assembler& a = e.a();
  constexpr uint64_t kElsewhere = kArithmeticFlags | kFlagRf | kFlagVm;
  a.pushfq();  // on the host's stack
  a.pop(kTemp0);
  Mask(a, kTemp0, kTemp1, static_cast<int32_t>(kArithmeticFlags));
  a.mov(CpuScratch(0), kTemp0);
  a.mov(kTemp0, Rflags());
  Mask(a, kTemp0, kTemp1, ~static_cast<int32_t>(kElsewhere));
  a.mov(kTemp1, CpuScratch(0));
  a.lea(kTemp0, x86::ptr(kTemp0, kTemp1));
  a.mov(CpuScratch(0), kTemp0);
  e.EmitStackAccess(-8, 8, MemoryUse::kWrite);
  a.mov(kTemp1, CpuScratch(0));
  a.mov(e.Accessed(8), kTemp1);
  e.EmitStackMove(-8);
}

void EmitSwapgs(Emission& e) {
  x86::Assembler& a = e.a();
  const x86::Mem base = CpuSegment(HV_GS, offsetof(hv_segment_state, base), 8);
  const x86::Mem other = CpuField(offsetof(Cpu, kernel_gs_base));
  a.mov(kTemp0, base);
  a.mov(kTemp1, other);
  a.mov(base, kTemp1);
  a.mov(other, kTemp0);
}

}  // namespace

bool RunsInline(const Instruction& insn, Mode mode, bool followed) {
  if (mode.single()) return false;
  switch (insn.mnemonic) {
    case ZYDIS_MNEMONIC_RDTSC:
    case ZYDIS_MNEMONIC_RDTSCP: return !mode.tsc_forbidden();
    case ZYDIS_MNEMONIC_CLD:
    case ZYDIS_MNEMONIC_STD: return true;
    case ZYDIS_MNEMONIC_STI: return mode.ring0() && followed;
    case ZYDIS_MNEMONIC_CLI:
    case ZYDIS_MNEMONIC_CLAC:
    case ZYDIS_MNEMONIC_STAC: return mode.ring0();
    case ZYDIS_MNEMONIC_SWAPGS: return mode.ring0() && mode.code() == CodeMode::k64;
    case ZYDIS_MNEMONIC_PUSHFQ: return mode.code() == CodeMode::k64;
    default: return IsStringInOnePage(insn, mode);
  }
}

Emitted EmitSystemState(Emission& e) {
  if (!RunsInline(e.insn(), e.mode(), e.followed())) return Emitted::kNot;
  switch (e.insn().mnemonic) {
    case ZYDIS_MNEMONIC_CLD: ChangeBit(e, kFlagDf, false); return Emitted::kGoesOn;
    case ZYDIS_MNEMONIC_STD: ChangeBit(e, kFlagDf, true); return Emitted::kGoesOn;
    case ZYDIS_MNEMONIC_CLI: ChangeBit(e, kFlagIf, false); return Emitted::kGoesOn;
    case ZYDIS_MNEMONIC_STI: EmitSti(e); return Emitted::kGoesOn;
    case ZYDIS_MNEMONIC_CLAC: return ChangeAc(e, false);
    case ZYDIS_MNEMONIC_STAC: return ChangeAc(e, true);
    case ZYDIS_MNEMONIC_SWAPGS: EmitSwapgs(e); return Emitted::kGoesOn;
    case ZYDIS_MNEMONIC_PUSHFQ: EmitPushf(e); return Emitted::kGoesOn;
    default: return Emitted::kNot;
  }
}

}  // namespace hv::soft
