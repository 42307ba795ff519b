#include "vcpu_svc/apic_timer.h"

#include "gtest/gtest.h"

namespace hv::vcpu {
namespace {

constexpr uint32_t kDivideBy1 = 0xb, kDivideBy2 = 0, kDivideBy128 = 0xa;
constexpr uint64_t kStart = 1'000'000;
constexpr auto kOneShot = TimerMode::kOneShot;
constexpr auto kPeriodic = TimerMode::kPeriodic;
constexpr auto kTscDeadline = TimerMode::kTscDeadline;

class ApicTimerTest : public testing::Test {
 protected:
  void Start(TimerMode mode, uint32_t count, uint32_t divide = kDivideBy1) {
    timer_.SetDivide(mode, divide, kStart);
    timer_.SetInitialCount(mode, count, kStart);
  }
  uint32_t Count(TimerMode mode, uint64_t after_ns) {
    return CurrentCount(state_, mode, kStart + after_ns);
  }

  ApicTimerState state_{};
  ApicTimer timer_{state_};
};

TEST_F(ApicTimerTest, DivideValuesAreThoseOfTheDatasheet) {
  struct {
    uint32_t value, divisor;
  } const values[] = {{0x0, 2},  {0x1, 4},  {0x2, 8},   {0x3, 16},
                      {0x8, 32}, {0x9, 64}, {0xa, 128}, {0xb, 1}};
  for (const auto& each : values) {
    EXPECT_EQ(DivideConfiguration(each.value).divisor(), each.divisor);
    Start(kOneShot, 10, each.value);
    EXPECT_EQ(state_.deadline_ns, kStart + 10 * each.divisor);
  }
}

TEST_F(ApicTimerTest, ReservedBitsOfTheDivideAreNotKept) {
  timer_.SetDivide(kOneShot, 0xffffffff, kStart);
  EXPECT_EQ(state_.divide, 0xbu);
}

TEST_F(ApicTimerTest, CountsDownOneATick) {
  Start(kOneShot, 100, kDivideBy2);
  EXPECT_EQ(Count(kOneShot, 0), 100u);
  EXPECT_EQ(Count(kOneShot, 1), 100u);
  EXPECT_EQ(Count(kOneShot, 2), 99u);
  EXPECT_EQ(Count(kOneShot, 199), 1u);
  EXPECT_EQ(Count(kOneShot, 200), 0u);
  EXPECT_EQ(Count(kOneShot, 5000), 0u);
}

TEST_F(ApicTimerTest, OneShotExpiresOnceAndKeepsItsInitialCount) {
  Start(kOneShot, 100);
  EXPECT_TRUE(timer_.Expire(kOneShot, kStart + 100));
  EXPECT_EQ(state_.deadline_ns, 0u);
  EXPECT_EQ(state_.initial_count, 100u);
  EXPECT_EQ(Count(kOneShot, 100), 0u);
  EXPECT_FALSE(timer_.Expire(kOneShot, kStart + 200));
}

TEST_F(ApicTimerTest, PeriodicStartsAgainAtItsInitialCount) {
  Start(kPeriodic, 1'000'000);
  EXPECT_EQ(Count(kPeriodic, 999'999), 1u);
  EXPECT_EQ(Count(kPeriodic, 1'000'000), 1'000'000u);
  EXPECT_TRUE(timer_.Expire(kPeriodic, kStart + 1'000'000));
  EXPECT_EQ(state_.deadline_ns, kStart + 2'000'000);
  EXPECT_EQ(Count(kPeriodic, 1'400'000), 600'000u);
}

TEST_F(ApicTimerTest, CountsOnWhileAPeriodicExpiryIsServedLate) {
  Start(kPeriodic, 1'000'000);
  EXPECT_EQ(Count(kPeriodic, 2'300'000), 700'000u);
}

TEST_F(ApicTimerTest, ALateExpiryDoesNotShiftTheNextOnes) {
  Start(kPeriodic, 1'000'000);
  EXPECT_TRUE(timer_.Expire(kPeriodic, kStart + 3'700'000));
  EXPECT_EQ(state_.deadline_ns, kStart + 4'000'000);
}

TEST_F(ApicTimerTest, ShortPeriodsExpireLessOftenButCountAsAsked) {
  Start(kPeriodic, 30'000);
  EXPECT_TRUE(timer_.Expire(kPeriodic, kStart + 30'000));
  const uint64_t pause_ns = state_.deadline_ns - (kStart + 30'000);
  EXPECT_GE(pause_ns, ApicTimer::kShortestIntervalNs);
  EXPECT_EQ(pause_ns % 30'000, 0u);
  EXPECT_EQ(Count(kPeriodic, 40'000), 20'000u);
}

TEST_F(ApicTimerTest, ACountOfZeroStops) {
  Start(kPeriodic, 100);
  timer_.SetInitialCount(kPeriodic, 0, kStart + 10);
  EXPECT_EQ(state_.deadline_ns, 0u);
  EXPECT_EQ(Count(kPeriodic, 20), 0u);
  EXPECT_FALSE(timer_.Expire(kPeriodic, kStart + 100));
}

TEST_F(ApicTimerTest, AnotherDivideGoesOnFromTheCountAtTheNewRate) {
  Start(kOneShot, 1000);
  timer_.SetDivide(kOneShot, kDivideBy128, kStart + 400);
  EXPECT_EQ(Count(kOneShot, 400), 600u);
  EXPECT_EQ(Count(kOneShot, 400 + 128), 599u);
  EXPECT_EQ(state_.deadline_ns, kStart + 400 + 600 * 128);
}

TEST_F(ApicTimerTest, ASlowerDivideSoonAfterPowerOnIsNoOverflow) {
  timer_.SetDivide(kOneShot, kDivideBy1, 0);
  timer_.SetInitialCount(kOneShot, 1000, 0);
  timer_.SetDivide(kOneShot, kDivideBy128, 500);
  EXPECT_EQ(CurrentCount(state_, kOneShot, 500), 500u);
  EXPECT_EQ(state_.deadline_ns, 500u + 500 * 128);
}

TEST_F(ApicTimerTest, ADivideAloneArmsNothing) {
  timer_.SetDivide(kPeriodic, kDivideBy2, kStart);
  EXPECT_EQ(state_.deadline_ns, 0u);
}

TEST_F(ApicTimerTest, TheLongestCountFits) {
  Start(kOneShot, UINT32_MAX, kDivideBy128);
  EXPECT_EQ(Count(kOneShot, 0), UINT32_MAX);
  EXPECT_EQ(state_.deadline_ns, kStart + uint64_t{UINT32_MAX} * 128);
}

TEST_F(ApicTimerTest, BetweenOneShotAndPeriodicTheCountGoesOn) {
  Start(kOneShot, 1000);
  timer_.ChangeMode(kOneShot, kPeriodic);
  EXPECT_EQ(Count(kPeriodic, 900), 100u);
  timer_.ChangeMode(kPeriodic, kOneShot);
  EXPECT_EQ(Count(kOneShot, 1001), 0u);
}

TEST_F(ApicTimerTest, ACountThatHasReachedZeroStaysThereInPeriodicMode) {
  Start(kOneShot, 100);
  EXPECT_TRUE(timer_.Expire(kOneShot, kStart + 100));
  timer_.ChangeMode(kOneShot, kPeriodic);
  EXPECT_EQ(Count(kPeriodic, 150), 0u);
}

TEST_F(ApicTimerTest, EnteringAndLeavingTscDeadlineModeDisarms) {
  Start(kPeriodic, 100);
  timer_.ChangeMode(kPeriodic, kTscDeadline);
  EXPECT_EQ(state_.deadline_ns, 0u);
  EXPECT_EQ(state_.initial_count, 0u);
  timer_.SetTscDeadline(5000, GuestTsc(1'000'000'000), 0);
  timer_.ChangeMode(kTscDeadline, kOneShot);
  EXPECT_EQ(state_.deadline_ns, 0u);
  EXPECT_EQ(state_.tsc_deadline, 0u);
}

TEST_F(ApicTimerTest, TheTscDeadlineIsNeverEarly) {
  timer_.SetTscDeadline(7, GuestTsc(3'000'000'000), 0);
  EXPECT_EQ(state_.deadline_ns, 3u);  // 2.33 ns
  timer_.SetTscDeadline(6, GuestTsc(3'000'000'000), 0);
  EXPECT_EQ(state_.deadline_ns, 2u);
}

TEST_F(ApicTimerTest, ATscDeadlinePastTheEndOfTimeIsTheEndOfTime) {
  timer_.SetTscDeadline(UINT64_MAX, GuestTsc(800'000'000), 0);
  EXPECT_EQ(state_.deadline_ns, UINT64_MAX);
}

TEST_F(ApicTimerTest, ATscDeadlineThatHasPassedIsDueNow) {
  timer_.SetTscDeadline(5000, GuestTsc(1'000'000'000), 6000);
  EXPECT_EQ(state_.deadline_ns, 6000u);
}

TEST_F(ApicTimerTest, ATscDeadlineThatHasPassedAtTimeZeroIsNoDisarmedTimer) {
  timer_.SetTscDeadline(5000, GuestTsc(1'000'000'000, 8000), 0);
  EXPECT_NE(state_.deadline_ns, 0u);
}

TEST_F(ApicTimerTest, TscDeadlineFiresOnceAndReadsZeroAfterwards) {
  timer_.SetTscDeadline(5000, GuestTsc(1'000'000'000), 0);
  EXPECT_EQ(CurrentCount(state_, kTscDeadline, 10), 0u);
  EXPECT_TRUE(timer_.Expire(kTscDeadline, 5000));
  EXPECT_EQ(state_.tsc_deadline, 0u);
  EXPECT_FALSE(timer_.Expire(kTscDeadline, 5000));
}

TEST_F(ApicTimerTest, ATscDeadlineOfZeroDisarms) {
  timer_.SetTscDeadline(5000, GuestTsc(1'000'000'000), 0);
  timer_.SetTscDeadline(0, GuestTsc(1'000'000'000), 0);
  EXPECT_EQ(state_.deadline_ns, 0u);
}

TEST_F(ApicTimerTest, TheInitialCountIsIgnoredInTscDeadlineMode) {
  timer_.SetInitialCount(kTscDeadline, 100, kStart);
  EXPECT_EQ(state_.initial_count, 0u);
  EXPECT_EQ(state_.deadline_ns, 0u);
}

}  // namespace
}  // namespace hv::vcpu
