// Sleeping on the wake word while the guest CPU is halted.
#pragma once

#include <atomic>
#include <cstdint>

#include "hv_kernel/vcpu_loop.h"
#include "ring/wake.h"

namespace hv {

class HaltSleep final : public HaltWait {
 public:
  explicit HaltSleep(ring::Sleeper sleeper) : sleeper_(sleeper) {}

  void WaitForAttention(const std::atomic<uint32_t>& attention) override {
    const uint32_t word = sleeper_.Declare();
    // Whoever sets the word wakes afterwards: what is set before this look is seen by it, what is
    // set later ends the sleep. Pairs with the release stores of vcpu_svc and RunControl's kick.
    if (attention.load(std::memory_order_acquire) != 0) {
      sleeper_.Cancel();
      return;
    }
    sleeper_.Sleep(word, kLongestSleepNs);
  }

 private:
  // Bounds what a lost wake-up can cost.
  static constexpr uint64_t kLongestSleepNs = 100'000'000;

  ring::Sleeper sleeper_;
};

}  // namespace hv
