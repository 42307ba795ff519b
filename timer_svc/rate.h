// Exact conversion between nanoseconds and the ticks of a clock, in 128 bits.
#pragma once

#include <cstdint>

namespace hv::timer {

inline constexpr uint64_t kNsPerSecond = 1'000'000'000;
inline constexpr uint64_t kNever = UINT64_MAX;  // as a tick and as a time

// A timer that a guest lets repeat faster than this is served this often: its edges would only be
// merged in the interrupt controllers. KVM limits its 8254 likewise. No rate in use comes near: the
// RTC's fastest is 122 us.
inline constexpr uint64_t kShortestPeriodNs = 100'000;

// Whole ticks in `ns` of a clock of `hz`.
constexpr uint64_t TicksIn(uint64_t ns, uint64_t hz) {
  return static_cast<uint64_t>((unsigned __int128)ns * hz / kNsPerSecond);
}
// The first nanosecond at which `ticks` have passed; kNever where that is past the end of time.
constexpr uint64_t NsUntil(uint64_t ticks, uint64_t hz) {
  const auto ns = ((unsigned __int128)ticks * kNsPerSecond + hz - 1) / hz;
  return ticks == kNever || ns > kNever ? kNever : static_cast<uint64_t>(ns);
}

}  // namespace hv::timer
