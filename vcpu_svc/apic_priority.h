// Which interrupt a local APIC lets through (Intel SDM vol. 3, 11.8.3).
#pragma once

#include <cstdint>

#include "vcpu_svc/local_apic.h"

namespace hv::vcpu {

// PPR. Where the classes of TPR and of what is in service are equal bits 3:0 are model-specific;
// here they are TPR's.
uint32_t ProcessorPriority(const LocalApicState& apic);

// The vector to be delivered next: the highest requested, if its class is above the processor
// priority; -1: none. An APIC disabled by software accepts nothing new, but what it has requested
// is still to be handled (11.4.7.2).
int Deliverable(const LocalApicState& apic);

}  // namespace hv::vcpu
