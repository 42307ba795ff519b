#include "timer_svc/timer_core.h"

#include "gtest/gtest.h"
#include "timer_svc/test_service.h"

namespace hv::timer {
namespace {

constexpr uint64_t kMs = 1'000'000;
constexpr uint8_t kPitMode2 = 0x34;
constexpr uint16_t kPit1000Hz = 1193;

class TimerCoreTest : public testing::Test {
 protected:
  TestService service_;
};

TEST_F(TimerCoreTest, ResetWantsNoTick) {
  EXPECT_EQ(service_.wake_at_ns, service::kNever);
  EXPECT_TRUE(service_.sent.empty());
}

TEST_F(TimerCoreTest, AReadIsAnsweredToWhoAskedWithItsTag) {
  service_.Send(HV_ENDPOINT(HV_ROLE_KERNEL, 5), HV_KIND_READ,
                service::AccessTo(HV_SPACE_PORT, HV_PORT_PM_TIMER, 4), 99);
  ASSERT_EQ(service_.sent.size(), 1u);
  EXPECT_EQ(service_.sent[0].to, HV_ENDPOINT(HV_ROLE_KERNEL, 5));
  EXPECT_EQ(service_.sent[0].kind, HV_KIND_READ_DONE);
  EXPECT_EQ(service_.sent[0].tag, 99u);
}

TEST_F(TimerCoreTest, APostedWriteIsServedAndNotAnswered) {
  EXPECT_TRUE(service_.Send(TestService::kCpu, HV_KIND_WRITE_POSTED,
                            service::AccessTo(HV_SPACE_PORT, HV_PORT_SPEAKER, 1, 3)));
  EXPECT_TRUE(service_.sent.empty());
  EXPECT_EQ(service_.In(HV_PORT_SPEAKER) & 3, 3);
}

TEST_F(TimerCoreTest, MalformedAccessesAreRefusedButAnswered) {
  const hv_access malformed[] = {
      service::AccessTo(HV_SPACE_PORT, 0x40, 0),
      service::AccessTo(HV_SPACE_PORT, 0x40, 8),
      service::AccessTo(HV_SPACE_PORT, 0x10040, 1),
      service::AccessTo(HV_SPACE_MMIO, HV_HPET_BASE, 3),
      service::AccessTo(HV_SPACE_MMIO, HV_HPET_BASE - 8, 8),
      service::AccessTo(HV_SPACE_MMIO, HV_HPET_BASE + HV_HPET_BYTES, 8),
      service::AccessTo(static_cast<hv_space>(9), 0x40, 1),
  };
  for (const hv_access& access : malformed) service_.ExpectRefused(access);
}

TEST_F(TimerCoreTest, AnUnknownKindIsRefused) {
  EXPECT_FALSE(service_.Send(TestService::kVcpu, HV_KIND_EOI, hv_eoi{}));
  EXPECT_TRUE(service_.sent.empty());
}

TEST_F(TimerCoreTest, The8254TicksAtItsRate) {
  service_.SetPit(kPitMode2, kPit1000Hz);
  service_.RunFor(1000 * kMs);
  EXPECT_EQ(service_.Rises(HV_GSI_PIT), 1000);
  EXPECT_EQ(service_.ticks, 1000u);
}

TEST_F(TimerCoreTest, AnInterruptOfThe8254IsAPulse) {
  service_.SetPit(kPitMode2, kPit1000Hz);
  service_.RunFor(1 * kMs);
  const auto lines = service_.Take<hv_line>(HV_KIND_LINE);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].level, 1u);
  EXPECT_EQ(lines[1].level, 0u);
}

TEST_F(TimerCoreTest, ALongPauseIsOneEdgeAndNoFlood) {
  service_.SetPit(kPitMode2, kPit1000Hz);
  service_.Pause(60'000 * kMs);
  service_.RunFor(0);
  EXPECT_EQ(service_.Rises(HV_GSI_PIT), 1);
  service_.RunFor(10 * kMs);
  const int after = service_.Rises(HV_GSI_PIT);
  EXPECT_GE(after, 10);
  EXPECT_LE(after, 11);
}

TEST_F(TimerCoreTest, WhatIsDueComesBeforeWhatTheGuestDoes) {
  service_.SetPit(kPitMode2, kPit1000Hz);
  service_.Pause(2 * kMs);
  service_.SetPit(0x30, 0xffff);
  EXPECT_EQ(service_.Rises(HV_GSI_PIT), 1);
}

TEST_F(TimerCoreTest, AnAbsurdRateCostsNoMoreThanTenThousandTicksASecond) {
  service_.SetPit(kPitMode2, 2);
  service_.WriteHpet(0x010, 1);
  service_.WriteHpet(0x100, 0x4c | 20 << 9);
  service_.WriteHpet(0x108, 1);
  service_.WriteHpet(0x108, 1);
  service_.RunFor(100 * kMs);
  EXPECT_LE(service_.ticks, 2100u);
  EXPECT_GE(service_.ticks, 900u);
}

TEST_F(TimerCoreTest, LegacyReplacementTakesTheInterruptsOf8254AndRtc) {
  service_.SetPit(kPitMode2, kPit1000Hz);
  service_.WriteCmos(0x0b, 0x12);
  service_.WriteHpet(0x010, 3);
  service_.sent.clear();
  service_.RunFor(1500 * kMs);
  EXPECT_TRUE(service_.Take<hv_line>(HV_KIND_LINE).empty());
  service_.WriteHpet(0x010, 0);
  EXPECT_EQ(service_.Rises(HV_GSI_RTC), 1) << "the RTC's flag stands";
  service_.RunFor(5 * kMs);
  EXPECT_EQ(service_.Rises(HV_GSI_PIT), 5);
}

TEST_F(TimerCoreTest, TheHpetInterruptsAsRouted) {
  service_.WriteHpet(0x010, 1);
  service_.WriteHpet(0x100, 0x4c | 20 << 9);
  service_.WriteHpet(0x108, 1'000'000);
  service_.WriteHpet(0x108, 1'000'000);
  service_.RunFor(100 * kMs);
  EXPECT_EQ(service_.Rises(20), 10);
}

TEST_F(TimerCoreTest, AnHpetLevelStandsUntilItIsCleared) {
  service_.WriteHpet(0x010, 1);
  service_.WriteHpet(0x100, 0x06 | 20 << 9);
  service_.WriteHpet(0x108, 100);
  service_.RunFor(1 * kMs);
  auto lines = service_.Take<hv_line>(HV_KIND_LINE);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].gsi, 20u);
  EXPECT_EQ(lines[0].level, 1u);
  service_.WriteHpet(0x020, 1);
  lines = service_.Take<hv_line>(HV_KIND_LINE);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].level, 0u);
}

TEST_F(TimerCoreTest, AnEdgeDoesNotLowerALineThatALevelHolds) {
  service_.WriteHpet(0x010, 1);
  service_.WriteHpet(0x100, 0x06 | 20 << 9);
  service_.WriteHpet(0x108, 1000);
  service_.WriteHpet(0x120, 0x04 | 20 << 9);
  service_.WriteHpet(0x128, 50'000);
  service_.RunFor(1 * kMs);
  const auto lines = service_.Take<hv_line>(HV_KIND_LINE);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].level, 1u);
}

TEST_F(TimerCoreTest, TheRtcsLineFallsWhenRegisterCIsRead) {
  service_.WriteCmos(0x0b, 0x12);
  service_.RunFor(1000 * kMs);
  EXPECT_EQ(service_.Rises(HV_GSI_RTC), 1);
  EXPECT_EQ(service_.ReadCmos(0x0c) & 0x90, 0x90);
  const auto lines = service_.Take<hv_line>(HV_KIND_LINE);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].level, 0u);
  service_.RunFor(1000 * kMs);
  EXPECT_EQ(service_.Rises(HV_GSI_RTC), 1);
}

TEST_F(TimerCoreTest, AnUnreadRtcInterruptCostsNoTicks) {
  service_.WriteCmos(0x0a, 0x23);
  service_.WriteCmos(0x0b, 0x72);
  service_.RunFor(10'000 * kMs);
  EXPECT_EQ(service_.ticks, 1u);
}

TEST_F(TimerCoreTest, ThePmTimerCounts32BitsAt3579545Hz) {
  service_.Pause(1000 * kMs);
  EXPECT_EQ(service_.Read(HV_SPACE_PORT, HV_PORT_PM_TIMER, 4), 3'579'545u);
  service_.Pause(1200'000 * kMs);
  EXPECT_EQ(service_.Read(HV_SPACE_PORT, HV_PORT_PM_TIMER, 4), (1201ull * 3'579'545) & 0xffffffff);
}

TEST_F(TimerCoreTest, ThePmTimerIsReadByPartsAndNotWritten) {
  service_.Pause(1000 * kMs);
  service_.Write(HV_SPACE_PORT, HV_PORT_PM_TIMER, 4, 0);
  EXPECT_EQ(service_.Read(HV_SPACE_PORT, HV_PORT_PM_TIMER, 1), 3'579'545u & 0xff);
  EXPECT_EQ(service_.Read(HV_SPACE_PORT, HV_PORT_PM_TIMER + 1, 2), 3'579'545u >> 8 & 0xffff);
}

TEST_F(TimerCoreTest, ADeadlineExpiresAtItsTimeWithItsGeneration) {
  EXPECT_TRUE(service_.SetDeadline(0, 5 * kMs, 17));
  EXPECT_EQ(service_.wake_at_ns, 5 * kMs);
  service_.RunUntil(5 * kMs);
  const auto expired = service_.Expired();
  ASSERT_EQ(expired.size(), 1u);
  EXPECT_EQ(expired[0].generation, 17u);
  EXPECT_EQ(service_.wake_at_ns, service::kNever);
}

TEST_F(TimerCoreTest, ADeadlineInThePastExpiresAtOnce) {
  service_.Pause(5 * kMs);
  service_.SetDeadline(0, 1, 3);
  EXPECT_EQ(service_.Expired().size(), 1u);
}

TEST_F(TimerCoreTest, ADisarmedDeadlineDoesNotExpire) {
  service_.SetDeadline(0, 5 * kMs, 1);
  service_.SetDeadline(0, 0, 2);
  service_.RunFor(10 * kMs);
  EXPECT_TRUE(service_.Expired().empty());
  EXPECT_EQ(service_.ticks, 0u);
}

TEST_F(TimerCoreTest, ADeadlineOfNoVcpuIsRefused) {
  EXPECT_FALSE(service_.SetDeadline(1, 5 * kMs, 1));
  EXPECT_EQ(service_.wake_at_ns, service::kNever);
}

TEST(TimerCoreVcpusTest, SixtyFourDeadlinesAtOnceAllExpire) {
  TestService service(HV_MAX_VCPUS);
  for (uint32_t vcpu = 0; vcpu < HV_MAX_VCPUS; ++vcpu) service.SetDeadline(vcpu, 5 * kMs, vcpu);
  service.SetPit(kPitMode2, kPit1000Hz);
  service.Pause(5 * kMs);
  service.RunFor(0);
  const auto expired = service.Expired();
  ASSERT_EQ(expired.size(), HV_MAX_VCPUS);
  for (uint32_t vcpu = 0; vcpu < HV_MAX_VCPUS; ++vcpu) EXPECT_EQ(expired[vcpu].vcpu, vcpu);
  EXPECT_LE(service.ticks, 2u);
}

}  // namespace
}  // namespace hv::timer
