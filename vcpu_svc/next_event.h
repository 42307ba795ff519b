// What a vCPU takes next (Intel SDM vol. 3, 6.9 and 9.4): INIT, SIPI, NMI, then the highest
// interrupt its local APIC lets through, then that of the 8259 pair.
#pragma once

#include <cstdint>

#include "vcpu_svc/vcpu_state.h"

namespace hv::vcpu {

// Event bits and vector as in abi/vcpu_page.h; 0: nothing.
uint64_t NextEvents(const MachineState& machine, uint32_t vcpu);

}  // namespace hv::vcpu
