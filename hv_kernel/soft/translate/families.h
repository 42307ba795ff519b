// The instructions that are neither re-encoded as they stand nor left to a handler, by family.
#pragma once

#include "hv_kernel/soft/translate/emission.h"

namespace hv::soft {

// Each emits the instruction in hand if it is of its family: kNot otherwise.
enum class Emitted {
  kNot,
  kGoesOn,  // the next instruction follows
  kEnds,    // control went elsewhere: the block is at its end
};

Emitted EmitBranch(Emission& e);      // branches.cc: JMP, Jcc, CALL, RET, LOOP, JrCXZ
Emitted EmitStack(Emission& e);       // stack.cc: PUSH, POP, LEAVE
Emitted EmitAddressing(Emission& e);  // addressing.cc: LEA, hints, bit strings
Emitted EmitTimeStamp(Emission& e);   // time_stamp.cc: RDTSC, RDTSCP where they do not fault
// system_state.cc: CLI, STI, CLD, STD, CLAC, STAC, PUSHF, SWAPGS where they do not fault.
Emitted EmitSystemState(Emission& e);
Emitted EmitSystemCall(Emission& e);  // system_calls.cc: SYSCALL, SYSRET of 64-bit code
// strings.cc: REP STOS and REP MOVS of 64-bit code; what is unusual about one leaves to its
// handler.
Emitted EmitString(Emission& e);
// Whether it is one of those.
bool IsStringInOnePage(const Instruction& insn, Mode mode);
// Whether an instruction that has a handler needs it not, in that mode. `followed`: by another one
// in its block.
bool RunsInline(const Instruction& insn, Mode mode, bool followed);
// availability.cc: the exception an instruction takes because its state is switched off or its
// encoding is not offered; kNot when it may run.
Emitted EmitUnavailable(Emission& e);

}  // namespace hv::soft
