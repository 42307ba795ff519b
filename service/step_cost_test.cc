// What a step must not cost a service: memory from the heap, a system call, a sleep.
#include <memory>
#include <vector>

#include "base/cost_watch.h"
#include "gtest/gtest.h"
#include "ring/test_channel.h"
#include "service/committer.h"
#include "service/test_core.h"

namespace hv::service {
namespace {

constexpr uint32_t kSelf = HV_ENDPOINT(HV_ROLE_TIMER, 0);
constexpr uint32_t kCapacity = 64;
constexpr size_t kSegmentBytes = 64 * 1024;

TEST(StepCostTest, AMessageCostsTimeAlone) {
  std::vector<uint64_t> segment(kSegmentBytes / sizeof(uint64_t));
  const std::span<std::byte> bytes(reinterpret_cast<std::byte*>(segment.data()), kSegmentBytes);
  StateSegment::Format(bytes, HV_ROLE_TIMER, 1);
  ring::TestChannel channel(kCapacity);
  ring::Producer sender(channel.b.outbound);
  ring::Consumer receiver(channel.b.inbound);
  ring::DirectStores stores;
  SumCore core;
  const std::vector<Port> ports{{SumCore::kVcpu, channel.a}};
  Committer<ring::DirectStores> committer(
      core, StateSegment::Open(bytes, HV_ROLE_TIMER, 1, core.state_bytes(), 1).value(), kSelf,
      ports);
  committer.Recover(0);
  CostWatch watch;
  for (uint64_t i = 1; i <= 1000; ++i) {
    hv_cell cell{};
    cell.kind = HV_KIND_DEADLINE_SET;
    sender.Push(cell);
    watch.Begin();
    const StepResult result = committer.StepMessage(0, i);
    watch.End();
    ASSERT_EQ(result, StepResult::kDone);
    ASSERT_EQ(receiver.Peek(cell), ring::PeekResult::kMessage);
    receiver.Advance();
    receiver.Acknowledge(stores);
    committer.AcknowledgeAll();
    ASSERT_TRUE(sender.HasRoom(1));
  }
  EXPECT_EQ(watch.costs().allocations, 0u);
  EXPECT_EQ(watch.costs().stretches_with_calls, 0u) << "first: " << watch.costs().first_call;
  EXPECT_EQ(watch.costs().sleeps, 0u);
}

}  // namespace
}  // namespace hv::service
