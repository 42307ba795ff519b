// To whom an interrupt goes (Intel SDM vol. 3, 11.6.2 and 11.12.10): physical and logical
// destinations, shorthands, and the choice of one among many by lowest priority.
#pragma once

#include <cstdint>

#include "vcpu_svc/interrupt_message.h"
#include "vcpu_svc/vcpu_state.h"

namespace hv::vcpu {

// Whether `destination` means this APIC. A disabled one is never meant.
bool Matches(const Destination& destination, const LocalApicState& apic);

// The vCPUs an interrupt goes to. `from` sends it; who is not a vCPU says `cpus`. Lowest-priority
// delivery chooses in turn among equals and remembers where it was in the state.
VcpuSet Recipients(MachineState& machine, uint32_t cpus, uint32_t from,
                   const InterruptMessage& message);

}  // namespace hv::vcpu
