#include "service/machine_clock.h"

#include <algorithm>
#include <random>

#include "gtest/gtest.h"

namespace hv::service {
namespace {

uint64_t Exact(uint64_t ticks, uint64_t hz) {
  return static_cast<uint64_t>(static_cast<unsigned __int128>(ticks) * 1'000'000'000 / hz);
}

TEST(MachineClockTest, IsNeverAheadAndAtMostANanosecondBehind) {
  std::mt19937_64 random(1);
  for (const uint64_t hz :
       {uint64_t{1}, uint64_t{999'999'999}, uint64_t{1'000'000'000}, uint64_t{1'000'000'001},
        uint64_t{2'445'404'137}, uint64_t{6'000'000'000}}) {
    const MachineClock clock(0, hz);
    // Years of machine time, but no more nanoseconds than 64 bits hold.
    const uint64_t most = std::min<uint64_t>(uint64_t{1} << 60, hz * uint64_t{1'000'000'000});
    for (int i = 0; i < 10000; ++i) {
      const uint64_t ticks = random() % most;
      const uint64_t exact = Exact(ticks, hz);
      ASSERT_LE(clock.ToNs(ticks), exact) << ticks << " ticks at " << hz;
      ASSERT_LE(exact, clock.ToNs(ticks) + 1) << ticks << " ticks at " << hz;
    }
  }
}

TEST(MachineClockTest, StandsAtZeroBeforeItsBase) {
  EXPECT_EQ(MachineClock(UINT64_MAX, 2'000'000'000).NowNs(), 0u);
}

}  // namespace
}  // namespace hv::service
