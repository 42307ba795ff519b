#include "hv_kernel/kick_watch.h"

#include <condition_variable>
#include <mutex>

#include "gtest/gtest.h"
#include "hv_kernel/fake_vcpu.h"
#include "ring/wake.h"

namespace hv {
namespace {

class KickedVcpu final : public FakeVcpu {
 public:
  void Kick() override {
    std::lock_guard lock(mutex_);
    ++kicks_;
    kicked_.notify_all();
  }
  void WaitForKicks(int kicks) {
    std::unique_lock lock(mutex_);
    kicked_.wait(lock, [&] { return kicks_ >= kicks; });
  }
  int kicks() {
    std::lock_guard lock(mutex_);
    return kicks_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable kicked_;
  int kicks_ = 0;
};

class KickWatchTest : public testing::Test {
 protected:
  // As vcpu_svc does it, from its own process.
  void Ask() {
    std::atomic_ref<uint32_t>(page_.attention).store(1, std::memory_order_release);
    ring::Waker(&page_.kicks, &page_.inside).Wake();
  }
  void SetInside(uint32_t inside) { std::atomic_ref<uint32_t>(page_.inside).store(inside); }

  hv_vcpu_page page_{};
  KickedVcpu vcpu_;
};

TEST_F(KickWatchTest, WhoeverAsksOfAVcpuInTheGuestHasItKicked) {
  SetInside(1);
  KickWatch watch(page_, vcpu_);
  Ask();
  vcpu_.WaitForKicks(1);
}

TEST_F(KickWatchTest, WhatWasAskedBeforeTheWatchBeganIsNotMissed) {
  SetInside(1);
  Ask();
  KickWatch watch(page_, vcpu_);
  vcpu_.WaitForKicks(1);
}

TEST_F(KickWatchTest, AVcpuThatIsNotInTheGuestCostsNoSystemCall) {
  Ask();
  EXPECT_EQ(page_.kicks, 0u);
}

TEST_F(KickWatchTest, AWordRaisedWithoutReasonKicksNobody) {
  SetInside(1);
  {
    KickWatch watch(page_, vcpu_);
    ring::Waker(&page_.kicks, &page_.inside).Wake();
  }
  EXPECT_EQ(vcpu_.kicks(), 0);
}

}  // namespace
}  // namespace hv
