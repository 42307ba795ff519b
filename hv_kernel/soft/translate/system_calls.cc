// SYSCALL and SYSRET between 64-bit code of rings 3 and 0, as kernels use them. What is out of the
// ordinary (they are switched off, a return address that is not canonical, something to be
// recognized when IF is set) is left to the handlers, in system/system_calls.cc.
#include <Zydis/Zydis.h>

#include "hv_kernel/soft/system/segments.h"
#include "hv_kernel/soft/translate/families.h"
#include "hv_kernel/soft/translate/host_flags.h"

namespace hv::soft {
namespace {

namespace x86 = asmjit::x86;

constexpr int32_t kAlwaysOne = 2;
constexpr int32_t kFlagsOfSysret =
    static_cast<int32_t>(0x3c7fd7 & ~(kFlagRf | kFlagVm));  // SDM vol. 2, SYSRET

// All of a segment, the selector in `selector`.
void StoreSegment(x86::Assembler& a, int segment, const x86::Gp& selector,
                  const hv_segment_state& flat) {
  a.mov(CpuSegment(segment, offsetof(hv_segment_state, base), 8), 0);
  a.mov(CpuSegment(segment, offsetof(hv_segment_state, limit), 4),
        static_cast<int32_t>(flat.limit));
  a.mov(CpuSegment(segment, offsetof(hv_segment_state, selector), 2), selector.r16());
  a.mov(CpuSegment(segment, offsetof(hv_segment_state, attributes), 4),
        static_cast<int32_t>(flat.attributes));
}

void LoadFlags(x86::Assembler& a, const x86::Gp& rflags, const x86::Gp& temp) {
  a.mov(CpuScratch(0), x86::rax);
  EmitLoadFlags(a, rflags, temp);
  a.mov(x86::rax, CpuScratch(0));
}

// To the handler of the instruction in hand, flags as on the stack of the host.
void EmitFallback(Emission& e, const asmjit::Label& label) {
  LeaveSite& site = e.NewHandlerSite();
  e.Later([&e, &site, label] {
    e.a().bind(label);
    e.a().popfq();
    e.Leave(site);
  });
}

Emitted EmitSyscall(Emission& e) {
  x86::Assembler& a = e.a();
  const asmjit::Label fallback = a.newLabel();
  a.pushfq();
  a.test(CpuField(offsetof(Cpu, efer), 1), static_cast<int32_t>(kEferSce));
  a.jz(fallback);
  EmitFallback(e, fallback);
  // R11: RFLAGS.
  a.pop(kTemp1);
  a.and_(kTemp1.r32(), static_cast<int32_t>(kArithmeticFlags));
  a.mov(kTemp0, CpuField(offsetof(Cpu, rflags)));
  a.and_(kTemp0, ~static_cast<int32_t>(kArithmeticFlags | kFlagRf));
  a.or_(kTemp0, kTemp1);
  a.mov(CpuGpr(HV_R11), kTemp0);
  e.LoadImmediate(x86::rcx, e.next_rip());
  a.mov(kTemp1, CpuField(offsetof(Cpu, sfmask)));
  a.andn(kTemp0, kTemp1, kTemp0);
  a.or_(kTemp0, kAlwaysOne);
  a.mov(CpuField(offsetof(Cpu, rflags)), kTemp0);
  a.mov(kTemp1, CpuField(offsetof(Cpu, star)));
  a.shr(kTemp1, 32);
  a.and_(kTemp1.r32(), 0xfffc);
  StoreSegment(a, HV_CS, kTemp1, FlatSegment(0, true, 0, true));
  a.add(kTemp1.r32(), 8);
  StoreSegment(a, HV_SS, kTemp1, FlatSegment(0, false, 0, false));
  // With AC still set, SMAP's exception has its own TLB: that way is found in C++.
  const asmjit::Label other = a.newLabel();
  if (e.mode().smap()) {
    a.test(kTemp0.r32(), static_cast<int32_t>(kFlagAc));
    a.jnz(other);
  }
  LoadFlags(a, kTemp0, kTemp1);
  a.mov(kTemp0, CpuField(offsetof(Cpu, lstar)));
  e.JumpToTemp0(TlbIndex::kSupervisor);
  if (e.mode().smap()) {
    LeaveSite& site = e.NewSite(LeaveKind::kLookup);
    e.Later([&e, &site, other] {
      x86::Assembler& later = e.a();
      later.bind(other);
      LoadFlags(later, kTemp0, kTemp1);
      later.mov(kTemp0, CpuField(offsetof(Cpu, lstar)));
      e.Leave(site);
    });
  }
  return Emitted::kEnds;
}

Emitted EmitSysret(Emission& e) {
  x86::Assembler& a = e.a();
  const asmjit::Label fallback = a.newLabel();
  a.pushfq();
  a.test(CpuField(offsetof(Cpu, efer), 1), static_cast<int32_t>(kEferSce));
  a.jz(fallback);
  a.mov(kTemp0, x86::rcx);
  a.shl(kTemp0, 16);
  a.sar(kTemp0, 16);
  a.cmp(kTemp0, x86::rcx);
  a.jne(fallback);
  a.mov(kTemp0, CpuGpr(HV_R11));
  a.test(kTemp0.r32(), static_cast<int32_t>(kFlagTf));
  a.jnz(fallback);
  a.cmp(CpuField(offsetof(Cpu, want_interrupt_window), 1), 0);
  a.jne(fallback);
  EmitFallback(e, fallback);
  a.pop(kTemp1);
  a.and_(kTemp0.r32(), kFlagsOfSysret);
  a.or_(kTemp0.r32(), kAlwaysOne);
  a.mov(CpuField(offsetof(Cpu, rflags)), kTemp0);
  a.mov(kTemp1, CpuField(offsetof(Cpu, star)));
  a.shr(kTemp1, 48);
  a.add(kTemp1.r32(), 16);
  a.or_(kTemp1.r32(), 3);
  StoreSegment(a, HV_CS, kTemp1, FlatSegment(0, true, 3, true));
  a.sub(kTemp1.r32(), 8);
  StoreSegment(a, HV_SS, kTemp1, FlatSegment(0, false, 3, false));
  LoadFlags(a, kTemp0, kTemp1);
  a.mov(kTemp0, x86::rcx);
  e.JumpToTemp0(TlbIndex::kUser);
  return Emitted::kEnds;
}

}  // namespace

Emitted EmitSystemCall(Emission& e) {
  if (e.mode().single() || e.mode().code() != CodeMode::k64) return Emitted::kNot;
  switch (e.insn().mnemonic) {
    case ZYDIS_MNEMONIC_SYSCALL:
      // Rings 1 and 2 do not share the jump caches of the others.
      if (e.mode().tlb() != TlbIndex::kUser && !e.mode().ring0()) return Emitted::kNot;
      return EmitSyscall(e);
    case ZYDIS_MNEMONIC_SYSRET:
      if (!e.mode().ring0() || e.insn().operand_bytes != 8) return Emitted::kNot;
      return EmitSysret(e);
    default: return Emitted::kNot;
  }
}

}  // namespace hv::soft
