#include "service/poll_loop.h"

#include <numeric>
#include <thread>

#include "gtest/gtest.h"
#include "ring/test_channel.h"
#include "service/test_core.h"

namespace hv::service {
namespace {

constexpr uint32_t kSelf = HV_ENDPOINT(HV_ROLE_TIMER, 0);
constexpr uint32_t kCapacity = 128;

class FakeClock : public Clock {
 public:
  uint64_t NowNs() override { return now_ns.load(); }
  std::atomic<uint64_t> now_ns{0};
};

class PollLoopTest : public testing::Test {
 protected:
  PollLoopTest() : segment_(256 * 1024 / sizeof(uint64_t)) {
    StateSegment::Format(bytes(), HV_ROLE_TIMER, 1);
    Reattach();
    // The test channel joins timer and ioapic; the sender's side speaks for whoever it likes.
  }
  std::span<std::byte> bytes() {
    return {reinterpret_cast<std::byte*>(segment_.data()), segment_.size() * sizeof(uint64_t)};
  }
  void Reattach() {
    auto state = StateSegment::Open(bytes(), HV_ROLE_TIMER, 1, core_.state_bytes(), 1).value();
    const std::vector<Port> ports{{SumCore::kVcpu, channel_.a}};
    committer_ = std::make_unique<LiveCommitter>(core_, state, kSelf, ports);
    loop_ = std::make_unique<PollLoop>(*committer_, clock_, ring::Sleeper(&wake_),
                                       std::vector{ring::Waker(&peer_wake_)},
                                       ring::SpinBudget(nullptr, kSelf), mailbox_);
    committer_->Recover(0);
  }
  void Send(uint16_t kind, uint64_t number, uint32_t tag = 1) {
    hv_cell cell{};
    cell.kind = kind;
    cell.tag = tag;
    std::memcpy(cell.payload, &number, sizeof(number));
    sender_.Push(cell);
  }
  // By every kind of refusal together.
  uint64_t refused() {
    const auto& by_kind = committer_->state().header().refused;
    return std::accumulate(std::begin(by_kind), std::end(by_kind), uint64_t{0});
  }
  SumState state() { return *static_cast<const SumState*>(committer_->state().current_state()); }

  std::vector<uint64_t> segment_;
  ring::TestChannel channel_{kCapacity};
  ring::Producer sender_{channel_.b.outbound};
  SumCore core_;
  FakeClock clock_;
  hv_wake wake_{};
  hv_wake peer_wake_{};
  Mailbox mailbox_{ring::Waker(&wake_)};
  std::unique_ptr<LiveCommitter> committer_;
  std::unique_ptr<PollLoop> loop_;
};

TEST_F(PollLoopTest, TakesMessagesAndThenHasNothingToDo) {
  Send(HV_KIND_DEADLINE_SET, 40);
  Send(HV_KIND_DEADLINE_SET, 2);
  EXPECT_TRUE(loop_->Turn());
  EXPECT_EQ(state().sum, 42u);
  EXPECT_FALSE(loop_->Turn());
}

TEST_F(PollLoopTest, TicksWhenItsTimeHasComeAndNotBefore) {
  clock_.now_ns = SumCore::kTickNs - 1;
  EXPECT_FALSE(loop_->Turn());
  clock_.now_ns = SumCore::kTickNs;
  EXPECT_TRUE(loop_->Turn());
  EXPECT_EQ(state().ticks, 1u);
  EXPECT_FALSE(loop_->Turn());
}

TEST_F(PollLoopTest, AKindThatThePeerMayNotSendIsRefusedAndCounted) {
  Send(HV_KIND_INJECTED, 1);
  EXPECT_TRUE(loop_->Turn());
  EXPECT_EQ(state().messages, 0u);
  EXPECT_EQ(refused(), 2u) << "the message, and the line to no ioapic_svc";
}

TEST_F(PollLoopTest, AFullRingHoldsBackReceiving) {
  for (uint32_t i = 0; i < kCapacity + 40; ++i) {
    Send(HV_KIND_DEADLINE_SET, 1);
    loop_->Turn();
  }
  EXPECT_EQ(state().messages, kCapacity) << "until the answer no longer fits";
  ring::Consumer peer(channel_.b.inbound);
  for (int i = 0; i < 50; ++i) peer.Advance();
  ring::DirectStores stores;
  peer.Acknowledge(stores);
  while (loop_->Turn()) {
  }
  EXPECT_EQ(state().messages, kCapacity + 40);
}

TEST_F(PollLoopTest, AMessageWithoutAnAnswerIsTakenThoughTheRingIsFull) {
  for (uint32_t i = 0; i < kCapacity; ++i) {
    Send(HV_KIND_DEADLINE_SET, 1);
    loop_->Turn();
  }
  const uint64_t received = committer_->state().header().received;
  Send(HV_KIND_INJECTED, 1);  // refused, so nothing is sent
  EXPECT_TRUE(loop_->Turn());
  EXPECT_EQ(committer_->state().header().received, received + 1);
  EXPECT_EQ(state().messages, kCapacity);
}

TEST_F(PollLoopTest, AStampFromNowhereIsCountedOnce) {
  const uint64_t before = refused();
  channel_.b.outbound.Slot(0).stamp = 77;
  EXPECT_FALSE(loop_->Turn());
  EXPECT_FALSE(loop_->Turn());
  EXPECT_EQ(refused(), before + 1);
}

TEST_F(PollLoopTest, WhileQuiescedNothingIsTaken) {
  loop_->Quiesce();
  Send(HV_KIND_DEADLINE_SET, 5);
  EXPECT_FALSE(loop_->Turn());
  EXPECT_EQ(state().sum, 0u);
  loop_->Resume();
  EXPECT_TRUE(loop_->Turn());
  EXPECT_EQ(state().sum, 5u);
}

TEST_F(PollLoopTest, ASuccessorGoesOnWhereThePredecessorCommitted) {
  Send(HV_KIND_DEADLINE_SET, 5);
  loop_->Turn();
  Send(HV_KIND_DEADLINE_SET, 6);
  Reattach();
  loop_->Turn();
  EXPECT_EQ(state().sum, 11u);
}

TEST_F(PollLoopTest, AnImportedStateIsInForceAndABadOneIsNot) {
  EXPECT_TRUE(committer_->Import("17", 0).ok());
  EXPECT_EQ(state().sum, 17u);
  EXPECT_FALSE(committer_->Import("x", 0).ok());
  EXPECT_EQ(state().sum, 17u);
}

TEST_F(PollLoopTest, RunsJobsOfOtherThreadsBetweenStepsUntilStopped) {
  clock_.now_ns = 1;
  std::thread runner([&] { loop_->Run(); });
  uint64_t messages = 1;
  mailbox_.Run([&] { messages = state().messages; });
  EXPECT_EQ(messages, 0u);
  mailbox_.Run([&] { loop_->Stop(); });
  runner.join();
}

}  // namespace
}  // namespace hv::service
