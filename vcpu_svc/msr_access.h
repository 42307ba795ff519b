// RDMSR and WRMSR of a vCPU: who of the local APIC and the table answers.
#pragma once

#include <cstdint>
#include <optional>

#include "vcpu_svc/machine.h"

namespace hv::vcpu {

// IA32_TSC_ADJUST. hv_kernel has the counter and says when the guest moved it.
inline constexpr uint32_t kTscAdjustMsr = 0x3b;

// Nothing: #GP(0).
std::optional<uint64_t> ReadMsr(Machine& machine, uint32_t vcpu, uint32_t index);
// False: #GP(0), and nothing has changed.
bool WriteMsr(Machine& machine, uint32_t vcpu, uint32_t index, uint64_t value, Effects& effects);

}  // namespace hv::vcpu
