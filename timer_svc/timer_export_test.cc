#include <functional>

#include "gtest/gtest.h"
#include "proto/hv/v1/timer_state.pb.h"
#include "service/test_export.h"
#include "timer_svc/test_service.h"

namespace hv::timer {
namespace {

using Proto = hv::v1::TimerServiceState;

// Something in every part of the state.
void MakeBusy(TestService& service) {
  service.SetPit(0x34, 1193);
  service.SetPit(0x34, 500);
  service.Out(0x40, 7);
  service.Out(0x43, 0xc2);
  service.Out(0x61, 3);
  service.WriteHpet(0x010, 1);
  service.WriteHpet(0x100, 0x06 | 20 << 9);
  service.WriteHpet(0x108, 100);
  service.WriteHpet(0x120, 0x4c | 21 << 9);
  service.WriteHpet(0x128, 1'000'000);
  service.WriteCmos(0x0b, 0x32);
  service.WriteCmos(0x04, 0x05);
  service.WriteCmos(0x20, 0x99);
  service.SetDeadline(1, 123'456'789'000, 9);
  service.RunFor(1'500'000'000);
}

TEST(TimerExportTest, WhatComesBackIsTheSameState) {
  TestService service(2);
  MakeBusy(service);
  service::ExpectSurvivesExport(service.core(), service.state);
}

TEST(TimerExportTest, WhatComesBackGoesOn) {
  TestService service(2);
  MakeBusy(service);
  TestService successor(2);
  ASSERT_TRUE(
      successor.core().Import(&successor.state, *service.core().Export(&service.state)).ok());
  successor.now_ns = service.now_ns;
  successor.Tick();
  EXPECT_EQ(successor.wake_at_ns, service.wake_at_ns);
}

TEST(TimerExportTest, BytesThatAreNoMessageAreRefused) {
  TestService service;
  EXPECT_FALSE(service.core().Import(&service.state, "\xff\xff\xff").ok());
  EXPECT_FALSE(service.core().Import(&service.state, "").ok());
}

TEST(TimerExportTest, AMachineOfOtherSizeIsRefused) {
  TestService two(2);
  TestService three(3);
  EXPECT_FALSE(three.core().Import(&three.state, *two.core().Export(&two.state)).ok());
}

TEST(TimerExportTest, EveryValueOutOfRangeIsRefusedAndChangesNothing) {
  TestService service(2);
  MakeBusy(service);
  const std::function<void(Proto&)> forgeries[] = {
      [](Proto& p) { p.add_counters(); },
      [](Proto& p) { p.mutable_counters(0)->set_reload(0); },
      [](Proto& p) { p.mutable_counters(0)->set_reload(0x10001); },
      [](Proto& p) { p.mutable_counters(0)->set_next_reload(0x10001); },
      [](Proto& p) { p.mutable_counters(1)->set_mode(6); },
      [](Proto& p) { p.mutable_counters(1)->set_access(0); },
      [](Proto& p) { p.mutable_counters(1)->set_access(4); },
      [](Proto& p) { p.mutable_counters(2)->set_latch_count(3); },
      [](Proto& p) { p.mutable_counters(2)->set_latched(0x10000); },
      [](Proto& p) { p.mutable_counters(2)->set_write_low(0x100); },
      [](Proto& p) { p.mutable_counters(2)->set_status(0x100); },
      [](Proto& p) { p.mutable_counters(2)->set_served_tick(1ull << 63); },
      [](Proto& p) { p.set_speaker(4); },
      [](Proto& p) { p.set_lines(1u << 24); },
      [](Proto& p) { p.mutable_hpet()->set_config(4); },
      [](Proto& p) { p.mutable_hpet()->set_status(8); },
      [](Proto& p) { p.mutable_hpet()->set_served_tick(1ull << 63); },
      [](Proto& p) { p.mutable_hpet()->set_timer_config(0, 1 << 15); },
      [](Proto& p) { p.mutable_hpet()->set_timer_config(0, 5 << 9); },
      [](Proto& p) { p.mutable_hpet()->add_period(0); },
      [](Proto& p) { p.mutable_rtc()->mutable_cmos()->pop_back(); },
      [](Proto& p) { p.mutable_rtc()->set_phase_ns(1'000'000'000); },
      [](Proto& p) { p.mutable_rtc()->set_offset_seconds(INT64_MIN); },
      [](Proto& p) { p.mutable_rtc()->set_served_second(INT64_MAX); },
      [](Proto& p) { p.mutable_rtc()->set_index(0x100); },
      [](Proto& p) { p.mutable_deadlines()->RemoveLast(); },
  };
  service::ExpectForgeriesRefused<Proto>(service.core(), service.state, forgeries);
}

}  // namespace
}  // namespace hv::timer
