// LiveStateAccess from a thread of the control plane, with the loop in the test's hands.
#include <thread>

#include "gtest/gtest.h"
#include "ring/test_channel.h"
#include "service/live_state_access.h"
#include "service/test_core.h"

namespace hv::service {
namespace {

constexpr uint32_t kSelf = HV_ENDPOINT(HV_ROLE_TIMER, 0);

class StoppedClock : public Clock {
 public:
  uint64_t NowNs() override { return 0; }
};

class StateAccessTest : public testing::Test {
 protected:
  StateAccessTest() : segment_(256 * 1024 / sizeof(uint64_t)) {
    const std::span<std::byte> bytes{reinterpret_cast<std::byte*>(segment_.data()),
                                     segment_.size() * sizeof(uint64_t)};
    StateSegment::Format(bytes, HV_ROLE_TIMER, 1);
    auto state = StateSegment::Open(bytes, HV_ROLE_TIMER, 1, core_.state_bytes(), 1).value();
    const std::vector<Port> ports{{SumCore::kVcpu, channel_.a}};
    committer_ = std::make_unique<LiveCommitter>(core_, state, kSelf, ports);
    loop_ = std::make_unique<PollLoop>(*committer_, clock_, ring::Sleeper(&wake_),
                                       std::vector{ring::Waker(&peer_wake_)},
                                       ring::SpinBudget(nullptr, kSelf), mailbox_);
    committer_->Recover(0);
  }
  // Does `ask` on a thread of its own while the loop turns.
  template <typename Ask>
  void WithLoop(Ask ask) {
    std::atomic<bool> done{false};
    std::thread client([&] {
      LiveStateAccess access(*committer_, *loop_, mailbox_, clock_);
      ask(access);
      done = true;
    });
    while (!done) {
      if (!loop_->Turn()) std::this_thread::yield();
    }
    client.join();
  }
  absl::Status AddFive(StateAccess& access, const absl::Status& verdict) {
    return access.Change([&](void* state) {
      static_cast<SumState*>(state)->sum += 5;
      return verdict;
    });
  }
  uint64_t sum() const {
    return static_cast<const SumState*>(committer_->state().current_state())->sum;
  }

  std::vector<uint64_t> segment_;
  ring::TestChannel channel_{128};
  SumCore core_;
  StoppedClock clock_;
  hv_wake wake_{};
  hv_wake peer_wake_{};
  Mailbox mailbox_{ring::Waker(&wake_)};
  std::unique_ptr<LiveCommitter> committer_;
  std::unique_ptr<PollLoop> loop_;
};

TEST_F(StateAccessTest, AChangeIsOneCommittedStepAndIsProjected) {
  const uint64_t commits = committer_->state().commit();
  const uint64_t wake_at_ns = committer_->wake_at_ns();
  WithLoop([&](StateAccess& access) { EXPECT_TRUE(AddFive(access, absl::OkStatus()).ok()); });
  EXPECT_EQ(sum(), 5u);
  EXPECT_EQ(core_.projected_sum, 5u);
  EXPECT_EQ(committer_->state().commit(), commits + 1);
  EXPECT_EQ(committer_->wake_at_ns(), wake_at_ns);
}

TEST_F(StateAccessTest, AFailedChangeLeavesNoTrace) {
  const uint64_t commits = committer_->state().commit();
  WithLoop([&](StateAccess& access) {
    const absl::Status status = AddFive(access, absl::InvalidArgumentError("no"));
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  });
  EXPECT_EQ(sum(), 0u);
  EXPECT_EQ(core_.projected_sum, 0u);
  EXPECT_EQ(committer_->state().commit(), commits);
}

TEST_F(StateAccessTest, AQuiescedServiceIsLookedAtButNotChanged) {
  loop_->Quiesce();
  bool called = false;
  WithLoop([&](StateAccess& access) {
    const absl::Status status = access.Change([&](void*) {
      called = true;
      return absl::OkStatus();
    });
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    access.Look(
        [&](const void* state) { EXPECT_EQ(static_cast<const SumState*>(state)->sum, 0u); });
  });
  EXPECT_FALSE(called);
}

}  // namespace
}  // namespace hv::service
