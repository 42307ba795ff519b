#include "vcpu_svc/interrupt_delivery.h"

#include "gtest/gtest.h"
#include "vcpu_svc/test_machine.h"

namespace hv::vcpu {
namespace {

constexpr uint64_t kInterrupt = HV_PENDING_INTERRUPT;
constexpr uint64_t kExtInt = HV_PENDING_INTERRUPT | HV_PENDING_EXTINT;

// A machine of two: vCPU 1 waits for SIPI until Start().
class InterruptDeliveryTest : public testing::Test {
 protected:
  InterruptDeliveryTest() {
    machine_.apic(0).svr = 0x1ff;
    machine_.apic(1).svr = 0x1ff;
  }
  void Start() { machine_.vcpu(1).waits_for_sipi = 0; }
  void Deliver(uint32_t vcpu, uint8_t mode, uint8_t vector = 0) {
    machine_.Interrupt(
        {.destination = vcpu, .vector = vector, .delivery_mode = mode, .assert_level = 1});
  }
  uint32_t& Lvt(uint32_t vcpu, Lvt entry) {
    return machine_.apic(vcpu).lvt[static_cast<uint32_t>(entry)];
  }

  TestMachine machine_{2};
};

TEST_F(InterruptDeliveryTest, FixedAndLowestPriorityRequestTheirVector) {
  Deliver(0, HV_DELIVERY_FIXED, 0x41);
  EXPECT_EQ(machine_.Offer(0), kInterrupt | 0x41);
  Deliver(0, HV_DELIVERY_LOWEST_PRIORITY, 0x52);
  EXPECT_EQ(machine_.Offer(0), kInterrupt | 0x52);
}

TEST_F(InterruptDeliveryTest, LevelTriggeredOnesSetTheTriggerMode) {
  machine_.Interrupt({.destination = 0, .vector = 0x41, .level = 1, .assert_level = 1});
  EXPECT_TRUE(machine_.apic(0).tmr.Has(0x41));
}

TEST_F(InterruptDeliveryTest, ADeassertionDeliversNothing) {
  machine_.Interrupt({.destination = 0, .vector = 0x41, .level = 1, .assert_level = 0});
  EXPECT_EQ(machine_.Offer(0), 0u);
}

TEST_F(InterruptDeliveryTest, NmiComesBeforeInterrupts) {
  Deliver(0, HV_DELIVERY_FIXED, 0x41);
  Deliver(0, HV_DELIVERY_NMI);
  EXPECT_EQ(machine_.Offer(0), HV_PENDING_NMI | kInterrupt | 0x41);
  EXPECT_TRUE(machine_.TakeAndReport(0));
  EXPECT_EQ(machine_.Offer(0), kInterrupt | 0x41);
}

TEST_F(InterruptDeliveryTest, NmiIsDeliveredWhileDisabledBySoftware) {
  machine_.apic(0).svr = 0xff;
  Deliver(0, HV_DELIVERY_NMI);
  EXPECT_EQ(machine_.Offer(0), HV_PENDING_NMI);
}

TEST_F(InterruptDeliveryTest, InitResetsTheApicAndOverridesAllElse) {
  Start();
  Deliver(1, HV_DELIVERY_FIXED, 0x41);
  Deliver(1, HV_DELIVERY_NMI);
  Deliver(1, HV_DELIVERY_INIT);
  EXPECT_EQ(machine_.Offer(1), HV_PENDING_INIT);
  EXPECT_EQ(machine_.apic(1).irr.Highest(), -1);
  EXPECT_TRUE(machine_.TakeAndReport(1));
  EXPECT_EQ(machine_.Offer(1), 0u);  // waits for SIPI
}

TEST_F(InterruptDeliveryTest, InitForgetsAnNmiAndAStartUp) {
  Deliver(1, HV_DELIVERY_NMI);
  Deliver(1, HV_DELIVERY_STARTUP, 0x9f);
  Deliver(1, HV_DELIVERY_INIT);
  ASSERT_TRUE(machine_.TakeAndReport(1));
  EXPECT_EQ(machine_.Offer(1), 0u);
  Deliver(1, HV_DELIVERY_STARTUP, 0x10);
  ASSERT_TRUE(machine_.TakeAndReport(1));
  EXPECT_EQ(machine_.Offer(1), 0u);
}

TEST_F(InterruptDeliveryTest, TheBootCpuNeedsNoSipiAfterInit) {
  Deliver(0, HV_DELIVERY_INIT);
  EXPECT_TRUE(machine_.TakeAndReport(0));
  Deliver(0, HV_DELIVERY_NMI);
  EXPECT_EQ(machine_.Offer(0), HV_PENDING_NMI);
}

TEST_F(InterruptDeliveryTest, InitDisarmsTheTimer) {
  Start();
  machine_.apic(1).timer.deadline_ns = 1000;
  const uint32_t generation = machine_.apic(1).timer.generation;
  Deliver(1, HV_DELIVERY_INIT);
  const auto sent = machine_.Sent(HV_KIND_DEADLINE_SET);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].As<hv_deadline>().time_ns, 0u);
  EXPECT_NE(sent[0].As<hv_deadline>().generation, generation);
}

TEST_F(InterruptDeliveryTest, InitOfAnIdleTimerTellsNothing) {
  Deliver(1, HV_DELIVERY_INIT);
  EXPECT_TRUE(machine_.sent.empty());
}

TEST_F(InterruptDeliveryTest, StartUpNamesThePage) {
  Deliver(1, HV_DELIVERY_STARTUP, 0x9f);
  EXPECT_EQ(machine_.Offer(1), HV_PENDING_SIPI | 0x9f);
  EXPECT_TRUE(machine_.TakeAndReport(1));
  Deliver(1, HV_DELIVERY_FIXED, 0x41);
  EXPECT_EQ(machine_.Offer(1), kInterrupt | 0x41);
}

TEST_F(InterruptDeliveryTest, TheSecondStartUpIsIgnored) {
  Deliver(1, HV_DELIVERY_STARTUP, 0x9f);
  ASSERT_TRUE(machine_.TakeAndReport(1));
  Deliver(1, HV_DELIVERY_STARTUP, 0x11);
  EXPECT_EQ(machine_.Offer(1), 0u);
}

TEST_F(InterruptDeliveryTest, StartUpOfARunningCpuIsIgnored) {
  Deliver(0, HV_DELIVERY_STARTUP, 0x9f);
  EXPECT_EQ(machine_.Offer(0), 0u);
}

TEST_F(InterruptDeliveryTest, StartUpAfterInitNeedsNotWaitForInitToBeTaken) {
  Start();
  Deliver(1, HV_DELIVERY_INIT);
  Deliver(1, HV_DELIVERY_STARTUP, 0x9f);
  EXPECT_EQ(machine_.Offer(1), HV_PENDING_INIT);
  EXPECT_TRUE(machine_.TakeAndReport(1));
  EXPECT_EQ(machine_.Offer(1), HV_PENDING_SIPI | 0x9f);
}

TEST_F(InterruptDeliveryTest, WaitingForSipiNothingElseIsOffered) {
  Deliver(1, HV_DELIVERY_FIXED, 0x41);
  Deliver(1, HV_DELIVERY_NMI);
  machine_.Intr(true, 0x30);
  EXPECT_EQ(machine_.Offer(1), 0u);
}

TEST_F(InterruptDeliveryTest, SmisAreCounted) {
  Deliver(0, HV_DELIVERY_SMI);
  EXPECT_EQ(machine_.state().ignored_smis, 1u);
  EXPECT_EQ(machine_.Offer(0), 0u);
}

TEST_F(InterruptDeliveryTest, OtherModesAreIgnored) {
  for (const uint8_t mode : {3, 7, 8, 255}) Deliver(0, mode, 0x41);
  EXPECT_EQ(machine_.Offer(0), 0u);
}

// The 8259 pair.

TEST_F(InterruptDeliveryTest, TheBootCpuTakesTheVectorOfThe8259) {
  machine_.Intr(true, 0x30);
  EXPECT_EQ(machine_.Offer(0), kExtInt | 0x30);
  machine_.Intr(true, 0x31);  // a more urgent line
  EXPECT_EQ(machine_.Offer(0), kExtInt | 0x31);
  machine_.Intr(false, 0);
  EXPECT_EQ(machine_.Offer(0), 0u);
}

TEST_F(InterruptDeliveryTest, AVectorOfThe8259IsNotInServiceInTheApic) {
  machine_.Intr(true, 0x30);
  ASSERT_TRUE(machine_.TakeAndReport(0));
  EXPECT_EQ(machine_.apic(0).isr.Highest(), -1);
  EXPECT_EQ(machine_.Offer(0), 0u);
  machine_.Intr(true, 0x30);  // the next one
  EXPECT_EQ(machine_.Offer(0), kExtInt | 0x30);
}

TEST_F(InterruptDeliveryTest, AnOutputToldInIgnoranceOfTheVectorTakenIsNoNewOne) {
  machine_.Intr(true, 0x30);
  ASSERT_TRUE(machine_.Take(0));
  machine_.Intr(false, 0, 0);  // both sent before the INTA came
  machine_.Intr(true, 0x30, 0);
  EXPECT_EQ(machine_.Offer(0), 0u);
  machine_.Intr(true, 0x31, 1);
  EXPECT_EQ(machine_.Offer(0), kExtInt | 0x31);
}

TEST_F(InterruptDeliveryTest, EveryVectorTakenByAnyVcpuIsWaitedFor) {
  Start();
  Lvt(1, Lvt::kLint0) = LvtEntry::kExtInt;
  machine_.Intr(true, 0x30);
  ASSERT_TRUE(machine_.Take(0));
  ASSERT_TRUE(machine_.Take(1));
  machine_.Intr(true, 0x31, 1);
  EXPECT_EQ(machine_.Offer(0), 0u);
  machine_.Intr(true, 0x31, 2);
  EXPECT_EQ(machine_.Offer(0), kExtInt | 0x31);
}

TEST_F(InterruptDeliveryTest, InterruptsOfTheApicComeFirst) {
  machine_.Intr(true, 0x30);
  Deliver(0, HV_DELIVERY_FIXED, 0x41);
  EXPECT_EQ(machine_.Offer(0), kInterrupt | 0x41);
  ASSERT_TRUE(machine_.TakeAndReport(0));
  EXPECT_EQ(machine_.Offer(0), kExtInt | 0x30);
}

TEST_F(InterruptDeliveryTest, AMaskedLint0HearsNothing) {
  Lvt(0, Lvt::kLint0) = LvtEntry::kMasked | LvtEntry::kExtInt;
  machine_.Intr(true, 0x30);
  EXPECT_EQ(machine_.Offer(0), 0u);
}

TEST_F(InterruptDeliveryTest, PastAnApicThatIsOffItReachesTheBootCpu) {
  Start();
  machine_.apic(0).base &= ~ApicBase::kEnable;
  machine_.apic(1).base &= ~ApicBase::kEnable;
  machine_.Intr(true, 0x30);
  EXPECT_EQ(machine_.Offer(0), kExtInt | 0x30);
  EXPECT_EQ(machine_.Offer(1), 0u);
}

TEST_F(InterruptDeliveryTest, WhatOneCpuTookIsWithdrawnFromTheOther) {
  Start();
  Lvt(1, Lvt::kLint0) = LvtEntry::kExtInt;
  machine_.Intr(true, 0x30);
  EXPECT_EQ(machine_.Offer(1), kExtInt | 0x30);
  ASSERT_TRUE(machine_.TakeAndReport(0));
  EXPECT_EQ(machine_.Offer(1), 0u);
}

TEST_F(InterruptDeliveryTest, Lint0InFixedModeTakesTheEdge) {
  Lvt(0, Lvt::kLint0) = 0x51;
  machine_.Intr(true, 0x30);
  EXPECT_EQ(machine_.Offer(0), kInterrupt | 0x51);
  ASSERT_TRUE(machine_.TakeAndReport(0));
  machine_.WriteApic(0, ApicRegister::kEoi, 0);
  machine_.Intr(true, 0x31);  // still high
  EXPECT_EQ(machine_.Offer(0), 0u);
  machine_.Intr(false, 0);
  machine_.Intr(true, 0x30);
  EXPECT_EQ(machine_.Offer(0), kInterrupt | 0x51);
}

TEST_F(InterruptDeliveryTest, Lint0InNmiModeIsAnNmi) {
  Lvt(0, Lvt::kLint0) = HV_DELIVERY_NMI << 8;
  machine_.Intr(true, 0x30);
  EXPECT_EQ(machine_.Offer(0), HV_PENDING_NMI);
}

}  // namespace
}  // namespace hv::vcpu
