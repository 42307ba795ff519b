#include "vcpu_svc/guest_tsc.h"

#include "gtest/gtest.h"

namespace hv::vcpu {
namespace {

constexpr uint64_t kHz = 3'000'000'000;

TEST(GuestTscTest, CountsFromMachineTimeZero) {
  EXPECT_EQ(GuestTsc(kHz).At(0), 0u);
  EXPECT_EQ(GuestTsc(kHz).At(1'000'000'000), kHz);
  EXPECT_EQ(GuestTsc(kHz, 500).At(10), 530u);
}

TEST(GuestTscTest, ATimeIsRoundedUp) {
  EXPECT_EQ(GuestTsc(kHz).TimeOf(6, 0), 2u);
  EXPECT_EQ(GuestTsc(kHz).TimeOf(7, 0), 3u);
}

TEST(GuestTscTest, WhatHasPassedIsNow) {
  EXPECT_EQ(GuestTsc(kHz).TimeOf(7, 100), 100u);
  EXPECT_EQ(GuestTsc(kHz).TimeOf(300, 100), 100u);
}

TEST(GuestTscTest, AMovedCounterComesToAValueSoonerOrLater) {
  EXPECT_EQ(GuestTsc(kHz, 3000).TimeOf(6000, 100), 1000u);
  EXPECT_EQ(GuestTsc(kHz, uint64_t{0} - 3000).TimeOf(6000, 1100), 3000u);
  EXPECT_EQ(GuestTsc(kHz, 1'000'000).TimeOf(6000, 100), 100u) << "past it already";
}

TEST(GuestTscTest, ACounterThatWasMovedBelowZeroIsFarAhead) {
  // 3000 - 300 ticks before it wraps round to zero.
  const GuestTsc tsc(kHz, uint64_t{0} - 3000);
  EXPECT_EQ(tsc.TimeOf(6000, 100), 100u);
  EXPECT_EQ(tsc.TimeOf(UINT64_MAX, 100), 1000u);
}

TEST(GuestTscTest, PastTheEndOfTimeIsTheEndOfTime) {
  EXPECT_EQ(GuestTsc(800'000'000).TimeOf(UINT64_MAX, 0), UINT64_MAX);
  EXPECT_EQ(GuestTsc(800'000'000).TimeOf(UINT64_MAX, UINT64_MAX / 2), UINT64_MAX);
}

}  // namespace
}  // namespace hv::vcpu
