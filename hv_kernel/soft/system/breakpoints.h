// Breakpoints by debug register (Intel SDM vol. 3, 17.2): which accesses hit one.
#pragma once

#include <cstdint>

#include "hv_kernel/soft/cpu.h"

namespace hv::soft {

// SDM vol. 3, figure 17-1.
inline constexpr uint64_t kDr6SingleStep = 1u << 14;
inline constexpr uint64_t kDr6DebugRegisterAccess = 1u << 13;
inline constexpr uint64_t kDr7GeneralDetect = 1u << 13;

inline bool AnyBreakpoint(const Cpu& cpu) { return (cpu.dr[7] & 0xff) != 0; }

// An enabled breakpoint on the execution of any instruction.
bool AnyInstructionBreakpoint(const Cpu& cpu);
// Those on the instruction at `linear`, as bits of DR6.
uint64_t InstructionBreakpointsAt(const Cpu& cpu, uint64_t linear);

// Accesses to the page of `linear` that have to be looked at one by one: the TLB must not serve
// them.
struct WatchedAccesses {
  bool reads = false;
  bool writes = false;
};
WatchedAccesses WatchedInPage(const Cpu& cpu, uint64_t linear);

// Adds to cpu.breakpoint_hits what an access that was made has hit.
void NoteDataAccess(Cpu& cpu, uint64_t linear, uint32_t bytes, bool write);
void NotePortAccess(Cpu& cpu, uint16_t port, uint32_t bytes);

}  // namespace hv::soft
