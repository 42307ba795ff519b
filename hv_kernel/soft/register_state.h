// Between the engine's Cpu and the registers as the rest of hv knows them.
#pragma once

#include "abi/vcpu_state.h"
#include "absl/status/status.h"
#include "hv_kernel/soft/cpu.h"

namespace hv::soft {

void SaveRegisters(const Cpu& cpu, hv_vcpu_state& state);
// InvalidArgument when no CPU can be in that state; says which register. Nothing is changed then.
absl::Status LoadRegisters(const hv_vcpu_state& state, Cpu& cpu);

}  // namespace hv::soft
