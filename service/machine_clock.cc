#include "service/machine_clock.h"

#include <x86intrin.h>

#include "base/check.h"

namespace hv::service {
namespace {

constexpr unsigned __int128 kNsPerSecond = 1'000'000'000;

}  // namespace

MachineClock::MachineClock(uint64_t tsc_base, uint64_t tsc_hz) : tsc_base_(tsc_base), shift_(64) {
  CHECK(tsc_hz > 0);
  // As precise as 64 bits can be: a TSC faster than 1 GHz, as all are, keeps 2^64.
  while ((kNsPerSecond << shift_) / tsc_hz > UINT64_MAX) --shift_;
  multiplier_ = static_cast<uint64_t>((kNsPerSecond << shift_) / tsc_hz);
}

uint64_t MachineClock::NowNs() {
  const uint64_t tsc = __rdtsc();
  // A core whose TSC lags the one hvd read the base on must not make time start at 2^64.
  return tsc < tsc_base_ ? 0 : ToNs(tsc - tsc_base_);
}

}  // namespace hv::service
