// How wide guest-physical addresses are: what CPUID says, and what MSRs that hold addresses accept.
#pragma once

#include <cstdint>

#include "abi/platform.h"

namespace hv::vcpu {

inline constexpr uint32_t kPhysicalAddressBits = HV_PHYSICAL_ADDRESS_BITS;
// The bits of a page-aligned guest-physical address.
inline constexpr uint64_t kPageAddressMask = ((1ull << kPhysicalAddressBits) - 1) & ~0xfffull;

}  // namespace hv::vcpu
