// Whether a register state is one that a CPU can be in, as far as engines rely on it.
#pragma once

#include "abi/vcpu_state.h"
#include "absl/status/status.h"

namespace hv {

// InvalidArgument: names the register and its value. SDM vol. 3, 26.3.1.1.
absl::Status CheckState(const hv_vcpu_state& state);

}  // namespace hv
