// Far JMP and CALL whose selector names a gate (Intel SDM vol. 3, 5.8.3 and 5.8.4).
#pragma once

#include <cstdint>

#include "hv_kernel/soft/cpu.h"
#include "hv_kernel/soft/system/segments.h"

namespace hv::soft {

// `system` is the descriptor `selector` names. Call gates are gone through; task gates and TSSs
// outside long mode would switch tasks, which the engine does not: kExit with kUnsupported.
Outcome JumpThroughGate(Cpu& cpu, uint16_t selector, const Descriptor& system);
Outcome CallThroughGate(Cpu& cpu, uint16_t selector, const Descriptor& system);

}  // namespace hv::soft
