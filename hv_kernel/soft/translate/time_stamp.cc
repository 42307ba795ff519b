// RDTSC and RDTSCP, where the guest may use them: kernels and libraries read the time often.
#include <Zydis/Zydis.h>

#include "hv_kernel/soft/translate/families.h"

namespace hv::soft {

namespace x86 = asmjit::x86;

Emitted EmitTimeStamp(Emission& e) {
  const auto mnemonic = static_cast<ZydisMnemonic>(e.insn().mnemonic);
  if (mnemonic != ZYDIS_MNEMONIC_RDTSC && mnemonic != ZYDIS_MNEMONIC_RDTSCP) return Emitted::kNot;
  if (!RunsInline(e.insn(), e.mode(), e.followed())) return Emitted::kNot;
  x86::Assembler& a = e.a();
  // After all earlier instructions (SDM vol. 2, RDTSCP). The host may have no RDTSCP.
  if (mnemonic == ZYDIS_MNEMONIC_RDTSCP) a.lfence();
  a.rdtsc();
  // No instruction here touches a flag.
  a.mov(kTemp0, CpuField(offsetof(Cpu, tsc_offset)));
  a.rorx(kTemp1, x86::rdx, 32);
  a.lea(kTemp1, x86::ptr(kTemp1, x86::rax));
  a.lea(kTemp0, x86::ptr(kTemp0, kTemp1));
  a.mov(x86::eax, kTemp0.r32());
  a.rorx(x86::rdx, kTemp0, 32);
  a.mov(x86::edx, x86::edx);
  if (mnemonic == ZYDIS_MNEMONIC_RDTSCP) {
    a.mov(x86::ecx, CpuField(offsetof(Cpu, tsc_aux), 4));
  }
  return Emitted::kGoesOn;
}

}  // namespace hv::soft
