#include "hvd/virtualization/ring0_speed.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace hv::hvd {
namespace {

// A guest CPU of a given speed that each entry costs the same.
struct FakeCpu {
  double mips;
  int64_t entry_ns = 0;
  int64_t bound_ns = INT64_MAX;
  std::vector<uint64_t> loops = {};
  int64_t total_ns = 0;

  LoopRun Run(uint64_t iterations) {
    loops.push_back(iterations);
    const double loop_ns =
        static_cast<double>(iterations * kInstructionsPerIteration) * 1000 / mips;
    const int64_t needed = entry_ns + static_cast<int64_t>(loop_ns);
    const int64_t taken = std::min(needed, bound_ns);
    total_ns += taken;
    return {.end = taken < needed ? LoopEnd::kOutOfTime : LoopEnd::kHalted, .cpu_ns = taken};
  }
  std::optional<Ring0Speed> Measure() {
    return MeasureRing0Speed([this](uint64_t iterations) { return Run(iterations); });
  }
};

TEST(Ring0SpeedTest, AnInterpreterIsKnownAfterShortLoops) {
  FakeCpu cpu{.mips = 1.4, .entry_ns = 20'000};
  const auto speed = cpu.Measure();
  ASSERT_TRUE(speed.has_value());
  EXPECT_NEAR(speed->mips, 1.4, 0.1);
  EXPECT_FALSE(speed->at_most);
  EXPECT_EQ(cpu.loops, (std::vector<uint64_t>{1, 1, 1000, 1000}));
}

TEST(Ring0SpeedTest, CostlyExitsDoNotHideARealCpu) {
  for (const int64_t entry_ns : {1'000, 40'000, 500'000}) {
    FakeCpu cpu{.mips = 840, .entry_ns = entry_ns};  // as KVM inside QEMU's TCG
    const auto speed = cpu.Measure();
    ASSERT_TRUE(speed.has_value());
    EXPECT_GT(speed->mips, 600) << entry_ns;
  }
}

TEST(Ring0SpeedTest, AtAnySpeedItEndsWithinMilliseconds) {
  for (double mips = 1; mips < 10'000; mips *= 1.3) {
    FakeCpu cpu{.mips = mips, .entry_ns = 50'000};
    ASSERT_TRUE(cpu.Measure().has_value());
    EXPECT_LT(cpu.total_ns, 5'000'000) << mips;
  }
}

TEST(Ring0SpeedTest, AStoppedLoopGivesAnUpperBound) {
  FakeCpu cpu{.mips = 0.01, .bound_ns = 5'000'000};
  const auto speed = cpu.Measure();
  ASSERT_TRUE(speed.has_value());
  EXPECT_TRUE(speed->at_most);
  EXPECT_NEAR(speed->mips, 0.4, 0.01);
}

TEST(Ring0SpeedTest, ALongerLoopThatIsStoppedDoesNotUndoAShorterOne) {
  int loops = 0;
  const auto speed = MeasureRing0Speed([&](uint64_t) {
    return ++loops <= 3 ? LoopRun{LoopEnd::kHalted, 10'000}
                        : LoopRun{LoopEnd::kOutOfTime, 5'000'000};
  });
  ASSERT_TRUE(speed.has_value());
  EXPECT_EQ(speed->mips, 200);
  EXPECT_FALSE(speed->at_most);
}

TEST(Ring0SpeedTest, OneLoopThatWasHeldUpDoesNotDecide) {
  int loops = 0;
  const auto speed = MeasureRing0Speed([&](uint64_t iterations) {
    if (++loops == 3) return LoopRun{LoopEnd::kOutOfTime, 5'000'000};
    return LoopRun{LoopEnd::kHalted, static_cast<int64_t>(iterations)};
  });
  ASSERT_TRUE(speed.has_value());
  EXPECT_EQ(speed->mips, 2000);
  EXPECT_FALSE(speed->at_most);
}

TEST(Ring0SpeedTest, ALoopThatFailsGivesNoSpeed) {
  EXPECT_FALSE(MeasureRing0Speed([](uint64_t) { return LoopRun{}; }).has_value());
}

TEST(Ring0SpeedTest, AClockThatStandsStillIsNoDivisionByZero) {
  const auto speed = MeasureRing0Speed([](uint64_t) { return LoopRun{LoopEnd::kHalted, 0}; });
  ASSERT_TRUE(speed.has_value());
  EXPECT_GT(speed->mips, 1000);
}

}  // namespace
}  // namespace hv::hvd
