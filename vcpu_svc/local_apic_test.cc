#include "vcpu_svc/local_apic.h"

#include "abi/platform.h"
#include "gtest/gtest.h"
#include "vcpu_svc/apic_priority.h"

namespace hv::vcpu {
namespace {

constexpr uint64_t kOn = HV_LOCAL_APIC_BASE | ApicBase::kEnable;
constexpr uint64_t kOnX2 = kOn | ApicBase::kX2apic;
constexpr uint32_t kEnabledSpurious = 0x1ff;

class LocalApicTest : public testing::Test {
 protected:
  LocalApicTest() { apic_.Reset(0x25, false); }
  void EnableBySoftware() { Write(ApicRegister::kSvr, kEnabledSpurious); }
  Effects Write(uint32_t number, uint32_t value, uint64_t now_ns = 0) {
    Effects effects;
    apic_.WritePage(number, value, now_ns, effects);
    return effects;
  }
  bool WriteBase(uint64_t value) {
    Effects effects;
    return apic_.WriteBase(value, effects);
  }
  uint32_t Lvt(uint32_t number) { return apic_.ReadPage(number, 0); }
  uint32_t Errors() {
    Write(ApicRegister::kEsr, 0);
    return apic_.ReadPage(ApicRegister::kEsr, 0);
  }

  LocalApicState state_{};
  LocalApic apic_{state_};
};

// Reset and INIT.

TEST_F(LocalApicTest, PowerOnState) {
  EXPECT_EQ(state_.base, kOn);
  EXPECT_EQ(state_.svr, 0xffu);
  EXPECT_EQ(state_.dfr, 0xffffffffu);
  EXPECT_EQ(state_.ldr, 0u);
  for (const uint32_t entry : state_.lvt) EXPECT_EQ(entry, LvtEntry::kMasked);
  EXPECT_FALSE(apic_.software_enabled());
}

TEST_F(LocalApicTest, TheBootCpuStartsInVirtualWireMode) {
  apic_.Reset(0, true);
  EXPECT_EQ(state_.base, kOn | ApicBase::kBootCpu);
  ASSERT_TRUE(apic_.Unmasked(Lvt::kLint0).has_value());
  EXPECT_EQ(apic_.Unmasked(Lvt::kLint0)->delivery_mode(), HV_DELIVERY_EXTINT);
  EXPECT_FALSE(apic_.Unmasked(Lvt::kLint1).has_value());
}

TEST_F(LocalApicTest, InitKeepsIdAndModeAndForgetsTheRest) {
  ASSERT_TRUE(WriteBase(kOnX2));
  Effects effects;
  apic_.WriteMsr(ApicRegister::kSvr, kEnabledSpurious, 0, effects);
  apic_.WriteMsr(ApicRegister::kInitialCount, 100, 0, effects);
  state_.timer.generation = 7;
  apic_.Accept(0x80, true);
  apic_.Init();
  EXPECT_EQ(state_.id, 0x25u);
  EXPECT_EQ(state_.base, kOnX2);
  EXPECT_EQ(state_.ldr, 0x20020u);
  EXPECT_EQ(state_.svr, 0xffu);
  EXPECT_EQ(state_.irr.Highest(), -1);
  EXPECT_EQ(state_.timer.deadline_ns, 0u);
  EXPECT_EQ(state_.timer.generation, 7u);  // the caller tells timer_svc
}

// IA32_APIC_BASE: SDM vol. 3, figure 11-27.

TEST_F(LocalApicTest, LegalTransitions) {
  EXPECT_TRUE(WriteBase(kOn));                 // xAPIC to itself
  EXPECT_TRUE(WriteBase(kOnX2));               // to x2APIC
  EXPECT_TRUE(WriteBase(kOnX2));               // to itself
  EXPECT_TRUE(WriteBase(HV_LOCAL_APIC_BASE));  // to disabled
  EXPECT_TRUE(WriteBase(HV_LOCAL_APIC_BASE));  // to itself
  EXPECT_TRUE(WriteBase(kOn));                 // to xAPIC
  EXPECT_TRUE(WriteBase(HV_LOCAL_APIC_BASE));
}

TEST_F(LocalApicTest, X2apicIsNotLeftForXapic) {
  ASSERT_TRUE(WriteBase(kOnX2));
  EXPECT_FALSE(WriteBase(kOn));
  EXPECT_EQ(state_.base, kOnX2);
}

TEST_F(LocalApicTest, X2apicIsNotEnteredFromDisabled) {
  ASSERT_TRUE(WriteBase(HV_LOCAL_APIC_BASE));
  EXPECT_FALSE(WriteBase(kOnX2));
}

TEST_F(LocalApicTest, X2apicWithoutEnableIsNoState) {
  EXPECT_FALSE(WriteBase(HV_LOCAL_APIC_BASE | ApicBase::kX2apic));
  ASSERT_TRUE(WriteBase(kOnX2));
  EXPECT_FALSE(WriteBase(HV_LOCAL_APIC_BASE | ApicBase::kX2apic));
}

TEST_F(LocalApicTest, ReservedBitsOfTheBaseAreRefused) {
  for (const int bit : {0, 7, 9, 46, 63}) EXPECT_FALSE(WriteBase(kOn | 1ull << bit)) << bit;
  EXPECT_TRUE(WriteBase(kOn | 1ull << 45));
}

TEST_F(LocalApicTest, TheBootCpuFlagIsReadOnly) {
  EXPECT_TRUE(WriteBase(kOn | ApicBase::kBootCpu));
  EXPECT_EQ(state_.base, kOn);
  apic_.Reset(0, true);
  EXPECT_TRUE(WriteBase(kOn));
  EXPECT_EQ(state_.base, kOn | ApicBase::kBootCpu);
}

TEST_F(LocalApicTest, EnteringX2apicDerivesTheLogicalIdAndKeepsTheRest) {
  EnableBySoftware();
  Write(ApicRegister::kLdr, 0x04000000);
  Write(ApicRegister::kTpr, 0x30);
  apic_.Accept(0x80, false);
  ASSERT_TRUE(WriteBase(kOnX2));
  EXPECT_EQ(state_.ldr, 2u << 16 | 1u << 5);
  EXPECT_EQ(state_.tpr, 0x30u);
  EXPECT_TRUE(state_.irr.Has(0x80));
}

TEST_F(LocalApicTest, DisablingForgetsAllStateAndDisarmsTheTimer) {
  EnableBySoftware();
  Write(ApicRegister::kInitialCount, 1000);
  apic_.Accept(0x80, false);
  Effects effects;
  ASSERT_TRUE(apic_.WriteBase(HV_LOCAL_APIC_BASE, effects));
  EXPECT_TRUE(effects.timer_changed);
  EXPECT_FALSE(apic_.enabled());
  EXPECT_EQ(state_.irr.Highest(), -1);
  EXPECT_EQ(state_.svr, 0xffu);
}

// Accepting, acknowledging, end of interrupt.

TEST_F(LocalApicTest, DisabledBySoftwareItAcceptsNothing) {
  apic_.Accept(0x80, false);
  EXPECT_EQ(state_.irr.Highest(), -1);
}

TEST_F(LocalApicTest, DisablingBySoftwareMasksEveryEntryForGood) {
  EnableBySoftware();
  for (uint32_t i = 0; i < kLvtEntries; ++i) Write(ApicRegister::kLvtTimer + i, 0x40);
  Write(ApicRegister::kSvr, 0xff);
  for (const uint32_t entry : state_.lvt) EXPECT_EQ(entry, LvtEntry::kMasked | 0x40);
  Write(ApicRegister::kLvtTimer, 0x40);  // the mask cannot be cleared now
  EXPECT_EQ(Lvt(ApicRegister::kLvtTimer), LvtEntry::kMasked | 0x40);
  EnableBySoftware();
  EXPECT_EQ(Lvt(ApicRegister::kLvtTimer), LvtEntry::kMasked | 0x40);
}

TEST_F(LocalApicTest, TheTriggerModeFollowsTheLastRequest) {
  EnableBySoftware();
  apic_.Accept(0x80, true);
  EXPECT_TRUE(state_.tmr.Has(0x80));
  apic_.Accept(0x80, false);
  EXPECT_FALSE(state_.tmr.Has(0x80));
}

TEST_F(LocalApicTest, AcknowledgingMovesFromRequestedToInService) {
  EnableBySoftware();
  apic_.Accept(0x80, false);
  apic_.Acknowledge(0x80);
  EXPECT_FALSE(state_.irr.Has(0x80));
  EXPECT_TRUE(state_.isr.Has(0x80));
}

TEST_F(LocalApicTest, WhatWasNotRequestedIsNotAcknowledged) {
  apic_.Acknowledge(0x80);
  EXPECT_EQ(state_.isr.Highest(), -1);
}

TEST_F(LocalApicTest, AnEdgeDuringServiceIsRequestedAgain) {
  EnableBySoftware();
  apic_.Accept(0x80, false);
  apic_.Acknowledge(0x80);
  apic_.Accept(0x80, false);
  EXPECT_EQ(Deliverable(state_), -1);
  Write(ApicRegister::kEoi, 0);
  EXPECT_EQ(Deliverable(state_), 0x80);
}

TEST_F(LocalApicTest, EndOfInterruptEndsTheHighest) {
  EnableBySoftware();
  for (const uint8_t vector : {uint8_t{0x31}, uint8_t{0x92}}) {
    apic_.Accept(vector, false);
    apic_.Acknowledge(vector);
  }
  EXPECT_FALSE(Write(ApicRegister::kEoi, 0).end_of_level.has_value());
  EXPECT_EQ(state_.isr.Highest(), 0x31);
  Write(ApicRegister::kEoi, 0xffffffff);  // any value
  EXPECT_EQ(state_.isr.Highest(), -1);
  EXPECT_FALSE(Write(ApicRegister::kEoi, 0).end_of_level.has_value());
}

TEST_F(LocalApicTest, EndOfALevelInterruptIsBroadcast) {
  EnableBySoftware();
  apic_.Accept(0x80, true);
  apic_.Acknowledge(0x80);
  EXPECT_EQ(Write(ApicRegister::kEoi, 0).end_of_level, 0x80);
}

TEST_F(LocalApicTest, TheBroadcastCanBeSuppressed) {
  Write(ApicRegister::kSvr, kEnabledSpurious | 1u << 12);
  apic_.Accept(0x80, true);
  apic_.Acknowledge(0x80);
  EXPECT_FALSE(Write(ApicRegister::kEoi, 0).end_of_level.has_value());
  EXPECT_EQ(state_.isr.Highest(), -1);
}

// The timer's interrupt.

TEST_F(LocalApicTest, TheTimerRequestsItsVector) {
  EnableBySoftware();
  Write(ApicRegister::kLvtTimer, 0xec);
  Write(ApicRegister::kInitialCount, 50);
  EXPECT_FALSE(apic_.TimerExpired(100));  // one-shot: no new deadline
  EXPECT_TRUE(state_.irr.Has(0xec));
}

TEST_F(LocalApicTest, AMaskedTimerGoesOnInSilence) {
  EnableBySoftware();
  Write(ApicRegister::kLvtTimer, 1u << 17 | LvtEntry::kMasked | 0xec);
  Write(ApicRegister::kInitialCount, 1'000'000);
  EXPECT_TRUE(apic_.TimerExpired(2'000'000));
  EXPECT_EQ(state_.irr.Highest(), -1);
}

TEST_F(LocalApicTest, AnExpiryOfATimerThatIsNotArmedIsNothing) {
  EnableBySoftware();
  Write(ApicRegister::kLvtTimer, 1u << 17 | 0xec);
  EXPECT_FALSE(apic_.TimerExpired(100));
  EXPECT_EQ(state_.irr.Highest(), -1);
}

TEST_F(LocalApicTest, TscDeadlinesCountInTscDeadlineModeAlone) {
  Effects effects;
  apic_.WriteTscDeadline(5000, GuestTsc(1'000'000'000), 0, effects);
  EXPECT_FALSE(effects.timer_changed);
  EXPECT_EQ(apic_.tsc_deadline(), 0u);
  Write(ApicRegister::kLvtTimer, 2u << 17 | 0xec);
  apic_.WriteTscDeadline(5000, GuestTsc(1'000'000'000), 0, effects);
  EXPECT_TRUE(effects.timer_changed);
  EXPECT_EQ(apic_.tsc_deadline(), 5000u);
  EXPECT_EQ(state_.timer.deadline_ns, 5000u);
}

// Errors.

TEST_F(LocalApicTest, AnIllegalVectorReceivedIsAnErrorAndNoRequest) {
  EnableBySoftware();
  apic_.Accept(15, false);
  EXPECT_EQ(state_.irr.Highest(), -1);
  EXPECT_EQ(Errors(), ApicError::kReceiveIllegalVector);
}

TEST_F(LocalApicTest, AnIllegalTimerVectorIsAnError) {
  EnableBySoftware();
  Write(ApicRegister::kLvtTimer, 0x0f);
  Write(ApicRegister::kInitialCount, 50);
  apic_.TimerExpired(100);
  EXPECT_EQ(Errors(), ApicError::kReceiveIllegalVector);
}

TEST_F(LocalApicTest, ErrorsShowAfterAWriteAndOnlyOnce) {
  EnableBySoftware();
  apic_.Accept(3, false);
  EXPECT_EQ(apic_.ReadPage(ApicRegister::kEsr, 0), 0u);
  EXPECT_EQ(Errors(), ApicError::kReceiveIllegalVector);
  EXPECT_EQ(Errors(), 0u);
}

TEST_F(LocalApicTest, TheFirstErrorInterruptsAndAWriteArmsItAgain) {
  EnableBySoftware();
  Write(ApicRegister::kLvtError, 0xfe);
  apic_.Accept(3, false);
  EXPECT_TRUE(state_.irr.Has(0xfe));
  apic_.Acknowledge(0xfe);
  apic_.Accept(4, false);
  EXPECT_FALSE(state_.irr.Has(0xfe));
  Write(ApicRegister::kEsr, 0);
  apic_.Accept(5, false);
  EXPECT_TRUE(state_.irr.Has(0xfe));
}

TEST_F(LocalApicTest, AMaskedErrorEntryKeepsQuiet) {
  EnableBySoftware();
  Write(ApicRegister::kLvtError, LvtEntry::kMasked | 0xfe);
  apic_.Accept(3, false);
  EXPECT_EQ(state_.irr.Highest(), -1);
}

TEST_F(LocalApicTest, AnIllegalErrorVectorIsAnErrorToo) {
  EnableBySoftware();
  Write(ApicRegister::kLvtError, 0x05);
  apic_.ReadPage(0, 0);
  EXPECT_EQ(Errors(), ApicError::kIllegalRegister | ApicError::kReceiveIllegalVector);
  EXPECT_EQ(state_.irr.Highest(), -1);
}

}  // namespace
}  // namespace hv::vcpu
