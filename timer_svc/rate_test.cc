#include "timer_svc/rate.h"

#include "gtest/gtest.h"

namespace hv::timer {
namespace {

constexpr uint64_t kHz = 1'193'182;

TEST(RateTest, ATickHasPassedFromItsNanosecondOnAndNotBefore) {
  for (uint64_t tick : {uint64_t{1}, uint64_t{2}, uint64_t{1'193'182}, uint64_t{1} << 50}) {
    const uint64_t ns = NsUntil(tick, kHz);
    EXPECT_EQ(TicksIn(ns, kHz), tick);
    EXPECT_EQ(TicksIn(ns - 1, kHz), tick - 1);
  }
}

TEST(RateTest, ASecondIsExactAfterAHundredYears) {
  constexpr uint64_t kSeconds = 100ull * 365 * 86400;
  EXPECT_EQ(TicksIn(kSeconds * kNsPerSecond, kHz), kSeconds * kHz);
}

TEST(RateTest, NeverAndBeyondTheEndOfTimeAreNever) {
  EXPECT_EQ(NsUntil(kNever, kHz), kNever);
  EXPECT_EQ(NsUntil(kNever - 1, kHz), kNever);
}

}  // namespace
}  // namespace hv::timer
