#include "hvd/host/machine_clock_base.h"

#include <gtest/gtest.h>
#include <time.h>
#include <x86intrin.h>

#include <cmath>

namespace hv::hvd {
namespace {

int64_t Now(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * 1'000'000'000ll + now.tv_nsec;
}

TEST(MachineClockBaseTest, RateAgreesWithTheMonotonicClock) {
  const uint64_t hz = HostTscHz().value();
  const uint64_t tsc = __rdtsc();
  const int64_t ns = Now(CLOCK_MONOTONIC_RAW);
  while (Now(CLOCK_MONOTONIC_RAW) - ns < 20'000'000) {
  }
  const double measured = double(__rdtsc() - tsc) * 1e9 / double(Now(CLOCK_MONOTONIC_RAW) - ns);
  EXPECT_LT(std::abs(measured - double(hz)) / double(hz), 0.01);
}

TEST(MachineClockBaseTest, ClockStartsNow) {
  const uint64_t before = __rdtsc();
  const int64_t realtime_before = Now(CLOCK_REALTIME);
  const ClockBase base = StartClock(1'000'000'000);
  EXPECT_GE(base.tsc_base, before);
  EXPECT_LE(base.tsc_base, __rdtsc());
  EXPECT_GE(base.realtime_base_ns, realtime_before);
  EXPECT_LE(base.realtime_base_ns, Now(CLOCK_REALTIME));
  EXPECT_EQ(base.tsc_hz, 1'000'000'000u);
}

}  // namespace
}  // namespace hv::hvd
