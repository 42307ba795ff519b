#include "service/machine_clock.h"

#include <x86intrin.h>

namespace hv::service {

uint64_t MachineClock::NowNs() {
  const uint64_t tsc = __rdtsc();
  // A core whose TSC lags the one hvd read the base on must not make time start at 2^64.
  if (tsc < tsc_base_) return 0;
  constexpr unsigned __int128 kNsPerSecond = 1'000'000'000;
  return static_cast<uint64_t>((tsc - tsc_base_) * kNsPerSecond / tsc_hz_);
}

}  // namespace hv::service
