// Exact conversion between nanoseconds and the ticks of a clock, in 128 bits.
#pragma once

#include <cstdint>

namespace hv::timer {

inline constexpr uint64_t kNsPerSecond = 1'000'000'000;

// Whole ticks in `ns` of a clock of `hz`.
constexpr uint64_t TicksIn(uint64_t ns, uint64_t hz) {
  return static_cast<uint64_t>((unsigned __int128)ns * hz / kNsPerSecond);
}
// The first nanosecond at which `ticks` have passed.
constexpr uint64_t NsUntil(uint64_t ticks, uint64_t hz) {
  return static_cast<uint64_t>(((unsigned __int128)ticks * kNsPerSecond + hz - 1) / hz);
}

}  // namespace hv::timer
