// The instructions executed by hand, in C++, rather than re-encoded.
#pragma once

#include <cstdint>

#include "hv_kernel/soft/cpu.h"
#include "hv_kernel/soft/instruction.h"

namespace hv::soft {

// Executes one instruction with all state in `cpu`: cpu.rip is the instruction, cpu.next_rip the
// one after it, which a handler may change. On kDone the caller moves rip to next_rip.
using Handler = Outcome (*)(Cpu& cpu, const Instruction& insn);

struct HandlerInfo {
  Handler handler = nullptr;
  // Works on cpu.xsave: the guest's vector state has to be there. Other handlers touch no vector
  // register, and the guest's may stay in the host's meanwhile.
  bool vector_state = false;
};

// The handler of an instruction; .handler == nullptr: the translator re-encodes it.
HandlerInfo FindHandler(const Instruction& insn);

// Handlers by family; each file says which section of the manual it follows.
#define HV_HANDLER(name) Outcome name(Cpu& cpu, const Instruction& insn)

// interrupt_return.cc
HV_HANDLER(Iret);
// system_calls.cc
HV_HANDLER(Syscall);
HV_HANDLER(Sysret);
HV_HANDLER(Sysenter);
HV_HANDLER(Sysexit);
// far_transfer.cc
HV_HANDLER(FarJump);
HV_HANDLER(FarCall);
HV_HANDLER(FarReturn);
// flags.cc
HV_HANDLER(Cli);
HV_HANDLER(Sti);
HV_HANDLER(Cld);
HV_HANDLER(Std);
HV_HANDLER(Clac);
HV_HANDLER(Stac);
HV_HANDLER(Pushf);
HV_HANDLER(Popf);
// control_registers.cc
HV_HANDLER(MovControl);
HV_HANDLER(MovDebug);
HV_HANDLER(Clts);
HV_HANDLER(Lmsw);
HV_HANDLER(Smsw);
HV_HANDLER(Xsetbv);
HV_HANDLER(Xgetbv);
HV_HANDLER(Invlpg);
HV_HANDLER(Invpcid);
// descriptor_tables.cc
HV_HANDLER(LoadTable);
HV_HANDLER(StoreTable);
HV_HANDLER(Lldt);
HV_HANDLER(Ltr);
HV_HANDLER(StoreSystemSelector);
HV_HANDLER(Lar);
HV_HANDLER(Lsl);
HV_HANDLER(Verify);
// segment_moves.cc
HV_HANDLER(MovSegment);
HV_HANDLER(PushSegment);
HV_HANDLER(PopSegment);
HV_HANDLER(LoadFarPointer);
HV_HANDLER(Swapgs);
HV_HANDLER(ReadWriteBase);
// model_specific.cc
HV_HANDLER(Rdmsr);
HV_HANDLER(Wrmsr);
HV_HANDLER(Rdtsc);
HV_HANDLER(Rdtscp);
HV_HANDLER(Rdpmc);
HV_HANDLER(Rdpid);
HV_HANDLER(Cpuid);
// port_io.cc
HV_HANDLER(In);
HV_HANDLER(Out);
HV_HANDLER(Ins);
HV_HANDLER(Outs);
// strings.cc
HV_HANDLER(Movs);
HV_HANDLER(Stos);
HV_HANDLER(Lods);
HV_HANDLER(Cmps);
HV_HANDLER(Scas);
// extended_state.cc
HV_HANDLER(Xsave);
HV_HANDLER(Xrstor);
HV_HANDLER(Fxsave);
HV_HANDLER(Fxrstor);
// vector_memory.cc
HV_HANDLER(Gather);
HV_HANDLER(MaskedMove);
// vector_clear.cc
HV_HANDLER(ClearVectors);
// decimal.cc
HV_HANDLER(Aaa);
HV_HANDLER(Aas);
HV_HANDLER(Daa);
HV_HANDLER(Das);
HV_HANDLER(Aam);
HV_HANDLER(Aad);
HV_HANDLER(Salc);
HV_HANDLER(Bound);
HV_HANDLER(Arpl);
// pause.cc
HV_HANDLER(Pause);
// other.cc
HV_HANDLER(Halt);
HV_HANDLER(Privileged);
HV_HANDLER(FlushLine);
HV_HANDLER(Undefined);
HV_HANDLER(Hypercall);
HV_HANDLER(SoftwareInt);
HV_HANDLER(Leave);
HV_HANDLER(Enter);
HV_HANDLER(Pusha);
HV_HANDLER(Popa);
HV_HANDLER(Xlat);

#undef HV_HANDLER

}  // namespace hv::soft
