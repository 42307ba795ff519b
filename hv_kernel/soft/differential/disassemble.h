// Code as text, for reports.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hv_kernel/soft/differential/form.h"

namespace hv::soft::differential {

// A line for each instruction: address, text, bytes.
std::string Disassemble(const std::vector<uint8_t>& bytes, uint64_t address, CodeWidth width);

}  // namespace hv::soft::differential
