// What is said of a vCPU when it cannot go on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "hv_kernel/soft/cpu.h"

namespace hv::soft {

// The bytes at RIP as far as they can be read without any effect on the guest; how many.
size_t FetchForReport(const Cpu& cpu, std::span<uint8_t> bytes);

// Mode, place and instruction, in one line.
std::string DescribeCpu(const Cpu& cpu);

}  // namespace hv::soft
