// What a CPU is like after power-on, INIT and SIPI (Intel SDM vol. 3, table 10-1 and 9.4.3).
#pragma once

#include <cstdint>

#include "abi/vcpu_state.h"

namespace hv {

// After RESET: real mode at F000:FFF0 with CS.base 0xffff0000.
hv_vcpu_state ResetState();

// INIT keeps what RESET does not clear for it: the x87, SSE and AVX registers, XCR0, CR0.CD and NW,
// TSC, and the MSRs; waits for SIPI unless it is the boot CPU.
void ApplyInit(hv_vcpu_state& state, bool boot_cpu);

// SIPI with `vector`: starts in real mode at vector:0000. REQUIRES: state waits for SIPI.
void ApplySipi(hv_vcpu_state& state, uint8_t vector);

}  // namespace hv
