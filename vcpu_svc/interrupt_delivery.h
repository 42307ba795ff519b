// What an interrupt does at the vCPUs it goes to, by delivery mode (Intel SDM vol. 3, 11.6.1).
#pragma once

#include <cstdint>

#include "vcpu_svc/interrupt_message.h"
#include "vcpu_svc/machine.h"

namespace hv::vcpu {

// To all it is meant for, and publishes what they take next. `from` sends it; who is not a vCPU
// says machine.cpus().
void Send(Machine& machine, uint32_t from, const InterruptMessage& message);

// The 8259 pair's output changed, or the vector behind it. LINT0 in fixed or NMI mode takes its
// rising edge; in ExtINT mode the vCPU takes the vector itself. `acknowledged`: of hv_intr.
void SetIntr(Machine& machine, bool asserted, uint8_t vector, uint32_t acknowledged);

}  // namespace hv::vcpu
