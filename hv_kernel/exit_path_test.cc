// What an exit must not cost the vCPU thread: memory from the heap, a system call, a sleep.
#include <cstring>

#include "abi/message.h"
#include "base/cost_watch.h"
#include "gtest/gtest.h"
#include "hv_kernel/ring_line.h"
#include "ring/test_channel.h"

namespace hv {
namespace {

constexpr uint32_t kCapacity = 64;
constexpr uint32_t kExits = 1000;

class ExitPathTest : public testing::Test {
 protected:
  // The service's answer to the request with `tag`, there before it is asked.
  void Answer(uint32_t tag) {
    hv_cell cell{};
    cell.kind = HV_KIND_READ_DONE;
    cell.tag = tag;
    service_producer_.Push(cell);
  }
  // Takes what the vCPU has sent, so that its ring has room.
  void Drain() {
    hv_cell cell;
    while (service_consumer_.Peek(cell) == ring::PeekResult::kMessage) service_consumer_.Advance();
    service_consumer_.Acknowledge(stores_);
  }
  void ExpectNothing() {
    EXPECT_EQ(watch_.costs().allocations, 0u);
    EXPECT_EQ(watch_.costs().stretches_with_calls, 0u) << "first: " << watch_.costs().first_call;
    EXPECT_EQ(watch_.costs().sleeps, 0u);
  }

  ring::TestChannel channel_{kCapacity};
  ring::Producer service_producer_{channel_.b.outbound};
  ring::Consumer service_consumer_{channel_.b.inbound};
  ring::DirectStores stores_;
  hv_wake vcpu_wake_{};
  hv_wake service_wake_{};
  RunControl control_{1, [] {}};
  Statistics statistics_;
  // The test channel's ends are timer_svc's and ioapic_svc's; the line does not ask.
  RingLine line_{{.view = channel_.a,
                  .peer_role = HV_ROLE_TIMER,
                  .peer = ring::Waker(&service_wake_),
                  .self = ring::Sleeper(&vcpu_wake_)},
                 control_,
                 statistics_};
  CostWatch watch_;
};

TEST_F(ExitPathTest, AnAnsweredRequestCostsTimeAlone) {
  for (uint32_t i = 1; i <= kExits; ++i) {
    Answer(i);
    watch_.Begin();
    const auto answer = line_.Call(HV_KIND_READ, HV_KIND_READ_DONE, {});
    watch_.End();
    ASSERT_TRUE(answer.has_value());
    Drain();
  }
  ExpectNothing();
}

TEST_F(ExitPathTest, APostedWriteCostsTimeAlone) {
  for (uint32_t i = 1; i <= kExits; ++i) {
    watch_.Begin();
    const bool sent = line_.Post(HV_KIND_WRITE_POSTED, {});
    watch_.End();
    ASSERT_TRUE(sent);
    Drain();
  }
  ExpectNothing();
}

}  // namespace
}  // namespace hv
