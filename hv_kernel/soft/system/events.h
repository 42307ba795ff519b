// Delivery of exceptions and interrupts to the guest (Intel SDM vol. 3, chapter 6).
#pragma once

#include <cstdint>

#include "hv_kernel/soft/cpu.h"

namespace hv::soft {

// Delivers cpu.exception, with what follows when that faults in turn: double fault, then shutdown
// (kExit with kShutdown). On kDone the guest is at the handler.
Outcome DeliverException(Cpu& cpu);
// What comes with an instruction that has retired: its single step, the data and I/O breakpoints it
// hit (SDM vol. 3, 17.3.1).
inline bool TrapsAreDue(const Cpu& cpu) { return cpu.single_step || cpu.breakpoint_hits != 0; }
// REQUIRES: TrapsAreDue().
Outcome DeliverTraps(Cpu& cpu);
// REQUIRES: the guest can take it.
Outcome DeliverInterrupt(Cpu& cpu, uint8_t vector);
Outcome DeliverNmi(Cpu& cpu);

// INT n, INT3, INTO from a handler: cpu.next_rip is what is pushed. kException when the gate
// does not allow it.
Outcome SoftwareInterrupt(Cpu& cpu, uint8_t vector);
// INT1 likewise, whatever the gate's privilege level (SDM vol. 2, INT1).
Outcome DebugInterrupt(Cpu& cpu);

}  // namespace hv::soft
