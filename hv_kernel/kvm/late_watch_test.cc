#include "hv_kernel/kvm/late_watch.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace hv::kvm {
namespace {

class LateWatchTest : public testing::Test {
 protected:
  LateWatchTest() {
    EXPECT_TRUE(EntryGate::InstallHandler().ok());
    ring_.Attach(&page_);
    watch_.AddGate(gate_);
    watch_.Start();
  }
  ~LateWatchTest() override { watch_.RemoveGate(gate_); }

  void Enter() {
    ASSERT_TRUE(gate_.Open());
    inside_.fetch_add(1, std::memory_order_seq_cst);
    watch_.Wake();
  }
  void Leave() {
    gate_.Close();
    inside_.fetch_sub(1, std::memory_order_seq_cst);
  }
  void PutWrite() { std::atomic_ref<uint32_t>(page_.last).store(1, std::memory_order_release); }
  bool Kicked() {
    return std::atomic_ref<uint8_t>(run_.immediate_exit).load(std::memory_order_relaxed) != 0;
  }
  template <typename Condition>
  static void Await(Condition condition) {
    while (!condition()) std::this_thread::yield();
  }

  LateRingPage page_{};
  LateRing ring_;
  std::atomic<uint32_t> inside_{0};
  kvm_run run_{};
  std::atomic<uint32_t> attention_{0};
  EntryGate gate_{run_, attention_, nullptr};
  LateWatch watch_{ring_, inside_};
};

TEST_F(LateWatchTest, AVcpuThatStaysInsideWithAWriteInTheRingIsKicked) {
  Enter();
  PutWrite();
  Await([&] { return watch_.kicks() >= 1; });  // counted when it has been done
  EXPECT_TRUE(Kicked());
  Leave();
}

TEST_F(LateWatchTest, OneThatWritesNothingIsLeftInside) {
  Enter();
  Await([&] { return watch_.looks() >= 3; });
  EXPECT_FALSE(Kicked());
  EXPECT_EQ(watch_.kicks(), 0u);
  Leave();
}

TEST_F(LateWatchTest, WhileNobodyIsInsideItSleepsAndLooksAtNothing) {
  Enter();
  Await([&] { return watch_.looks() >= 1; });
  Leave();
  Await([&] { return watch_.asleep(); });
  const uint64_t looks = watch_.looks();
  // Ten looks' time: what must not happen has no moment to wait for.
  std::this_thread::sleep_for(std::chrono::nanoseconds(10 * LateWatch::kIntervalNs));
  EXPECT_TRUE(watch_.asleep());
  EXPECT_EQ(watch_.looks(), looks);
}

// Wherever in its falling asleep the next one enters.
TEST_F(LateWatchTest, WhoeverEntersIsWatchedAgain) {
  for (int round = 0; round < 200; ++round) {
    Enter();
    for (int i = 0; i < round * 16; ++i) __builtin_ia32_pause();
    Leave();
  }
  Enter();
  PutWrite();
  Await([&] { return Kicked(); });
  Leave();
}

TEST_F(LateWatchTest, AWriteOfWhoeverHasLeftKicksNobody) {
  EntryGate other(run_, attention_, nullptr);  // of a vCPU that is out
  watch_.AddGate(other);
  inside_.fetch_add(1, std::memory_order_seq_cst);  // on its way out: its gate is closed already
  watch_.Wake();
  PutWrite();
  const uint64_t looks = watch_.looks();
  Await([&] { return watch_.looks() >= looks + 2; });
  EXPECT_EQ(watch_.kicks(), 0u);
  inside_.fetch_sub(1, std::memory_order_seq_cst);
  watch_.RemoveGate(other);
}

}  // namespace
}  // namespace hv::kvm
