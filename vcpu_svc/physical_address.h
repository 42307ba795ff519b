// How wide guest-physical addresses are: what CPUID says, and what MSRs that hold addresses accept.
#pragma once

#include <cstdint>

namespace hv::vcpu {

inline constexpr uint32_t kPhysicalAddressBits = 46;
// The bits of a page-aligned guest-physical address.
inline constexpr uint64_t kPageAddressMask = ((1ull << kPhysicalAddressBits) - 1) & ~0xfffull;

}  // namespace hv::vcpu
