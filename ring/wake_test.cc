#include "ring/wake.h"

#include <atomic>
#include <thread>

#include "gtest/gtest.h"

namespace hv::ring {
namespace {

constexpr uint64_t kLongNs = 60'000'000'000;

TEST(WakeTest, AWakeBetweenDeclareAndSleepIsNotLost) {
  hv_wake wake{};
  Sleeper sleeper(&wake);
  const uint32_t word = sleeper.Declare();
  Waker(&wake).Wake();
  sleeper.Sleep(word, kLongNs);  // returns at once or the test times out
  EXPECT_EQ(wake.sleeping, 0u);
}

TEST(WakeTest, NobodyAsleepCostsNoWake) {
  hv_wake wake{};
  Waker(&wake).Wake();
  EXPECT_EQ(wake.word, 0u);
}

TEST(WakeTest, NoPublicationIsMissed) {
  hv_wake wake{};
  std::atomic<uint64_t> published{0};
  constexpr uint64_t kRounds = 20000;
  std::atomic<uint64_t> taken{0};
  std::thread producer([&] {
    Waker waker(&wake);
    for (uint64_t i = 1; i <= kRounds; ++i) {
      published.store(i, std::memory_order_release);
      waker.Wake();
      while (taken.load(std::memory_order_acquire) != i) std::this_thread::yield();
    }
  });
  Sleeper sleeper(&wake);
  for (uint64_t i = 1; i <= kRounds; ++i) {
    while (published.load(std::memory_order_acquire) != i) {
      const uint32_t word = sleeper.Declare();
      if (published.load(std::memory_order_acquire) == i) {
        sleeper.Cancel();
        break;
      }
      sleeper.Sleep(word, kLongNs);
    }
    taken.store(i, std::memory_order_release);
  }
  producer.join();
}

TEST(SpinBudgetTest, TheLastToWorkSpins) {
  hv_spin_budget shared{};
  shared.slots = 1;
  SpinBudget first(&shared, 1);
  SpinBudget second(&shared, 2);
  EXPECT_FALSE(first.MaySpin());
  first.BecomeHot();
  EXPECT_TRUE(first.MaySpin());
  second.BecomeHot();
  EXPECT_TRUE(second.MaySpin());
  EXPECT_FALSE(first.MaySpin());
}

TEST(SpinBudgetTest, WithoutSlotsNobodySpins) {
  hv_spin_budget shared{};
  SpinBudget only(&shared, 1);
  only.BecomeHot();
  EXPECT_FALSE(only.MaySpin());
}

TEST(SpinBudgetTest, AScribbledBudgetIsHarmless) {
  hv_spin_budget shared{};
  shared.slots = UINT32_MAX;
  shared.next = UINT32_MAX;
  SpinBudget only(&shared, 1);
  only.BecomeHot();
  EXPECT_TRUE(only.MaySpin());
}

}  // namespace
}  // namespace hv::ring
