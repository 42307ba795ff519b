#include "vcpu_svc/owed_messages.h"

#include <map>

#include "gtest/gtest.h"
#include "vcpu_svc/test_machine.h"

namespace hv::vcpu {
namespace {

constexpr uint64_t kInterrupt = HV_PENDING_INTERRUPT;

class OwedMessagesTest : public testing::Test {
 protected:
  static constexpr uint32_t kCpus = HV_MAX_VCPUS;
  TestMachine machine_{kCpus};
};

TEST_F(OwedMessagesTest, ABroadcastInitDisarmsEveryTimerAFewAStep) {
  for (uint32_t i = 0; i < kCpus; ++i) machine_.apic(i).timer.deadline_ns = 1000;
  machine_.WriteApic(0, ApicRegister::kIcrLow, 2u << 18 | HV_DELIVERY_INIT << 8 | 1u << 14);
  std::map<uint32_t, int> told;
  for (int step = 0; step < 100; ++step) {
    EXPECT_LE(machine_.sent.size(), kOwedPerStep + 1u);
    for (const auto& each : machine_.Sent(HV_KIND_DEADLINE_SET)) {
      EXPECT_EQ(each.As<hv_deadline>().time_ns, 0u);
      ++told[each.As<hv_deadline>().vcpu];
    }
    if (machine_.wake_at_ns == service::kNever) break;
    EXPECT_EQ(machine_.wake_at_ns, machine_.now_ns);
    machine_.Tick();
  }
  EXPECT_EQ(told.size(), kCpus);
  for (const auto& [vcpu, times] : told) EXPECT_EQ(times, 1) << vcpu;
  for (uint32_t i = 0; i < kCpus; ++i) EXPECT_EQ(machine_.Offer(i), HV_PENDING_INIT);
}

TEST_F(OwedMessagesTest, AnAnswerGoesOutBeforeWhatIsOwed) {
  for (uint32_t i = 0; i < kCpus; ++i) machine_.apic(i).timer.deadline_ns = 1000;
  machine_.WriteApic(0, ApicRegister::kIcrLow, 3u << 18 | HV_DELIVERY_INIT << 8 | 1u << 14);
  EXPECT_EQ(machine_.sent.front().kind, HV_KIND_WRITE_DONE);
}

TEST_F(OwedMessagesTest, ABroadcastInterruptReachesSixtyFour) {
  for (uint32_t i = 0; i < kCpus; ++i) {
    machine_.vcpu(i).waits_for_sipi = 0;
    machine_.apic(i).svr = 0x1ff;
  }
  machine_.WriteApic(5, ApicRegister::kIcrLow, 3u << 18 | 0x4051);
  for (uint32_t i = 0; i < kCpus; ++i) {
    EXPECT_EQ(machine_.Offer(i), i == 5 ? 0 : kInterrupt | 0x51) << i;
  }
}

}  // namespace
}  // namespace hv::vcpu
