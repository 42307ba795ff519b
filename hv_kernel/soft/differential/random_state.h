// Random register and memory contents, rich in the values at which instructions behave specially.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "hv_kernel/soft/differential/machine_state.h"

namespace hv::soft::differential {

MachineState RandomState(std::mt19937_64& random, uint64_t rip, CodeWidth width);

// Contents for the arena. Begins with small numbers, which gathers take for indices.
std::vector<uint8_t> RandomMemory(std::mt19937_64& random);

}  // namespace hv::soft::differential
