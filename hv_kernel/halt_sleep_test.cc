#include "hv_kernel/halt_sleep.h"

#include <thread>

#include "gtest/gtest.h"

namespace hv {
namespace {

class HaltSleepTest : public testing::Test {
 protected:
  hv_wake wake_{};
  std::atomic<uint32_t> attention_{0};
  HaltSleep halt_{ring::Sleeper(&wake_)};
};

TEST_F(HaltSleepTest, DoesNotSleepThroughAttentionThatIsThere) {
  attention_ = 1;
  // Were it to sleep, this would take longer than the test may.
  for (int i = 0; i < 2000; ++i) halt_.WaitForAttention(attention_);
  EXPECT_EQ(wake_.sleeping, 0u) << "awake again, and says so";
}

TEST_F(HaltSleepTest, DeclaresItselfAsleepSoThatItIsWoken) {
  for (int round = 0; round < 200; ++round) {
    attention_ = 0;
    std::thread service([this] {
      while (ring::LoadAcquire(wake_.sleeping) == 0) std::this_thread::yield();
      attention_.store(1, std::memory_order_release);
      ring::Waker(&wake_).Wake();
    });
    while (attention_.load(std::memory_order_acquire) == 0) halt_.WaitForAttention(attention_);
    service.join();
  }
}

}  // namespace
}  // namespace hv
