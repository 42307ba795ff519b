// The protocol of `taken`, `acknowledged` and generations (abi/vcpu_page.h) between this service
// and a vCPU thread whose reports may be overtaken.
#include "gtest/gtest.h"
#include "vcpu_svc/test_machine.h"

namespace hv::vcpu {
namespace {

constexpr uint64_t kInterrupt = HV_PENDING_INTERRUPT;

class TakenEventTest : public testing::Test {
 protected:
  TakenEventTest() {
    for (uint32_t i = 0; i < 2; ++i) {
      machine_.apic(i).svr = 0x1ff;
      machine_.vcpu(i).waits_for_sipi = 0;
    }
  }
  void Edge(uint8_t vector) { machine_.Interrupt({.destination = 0, .vector = vector}); }
  void Deliver(uint32_t vcpu, uint8_t mode, uint8_t vector = 0) {
    machine_.Interrupt({.destination = vcpu, .vector = vector, .delivery_mode = mode});
  }

  TestMachine machine_{2};
};

TEST_F(TakenEventTest, EachChangeHasANewGeneration) {
  Edge(0x41);
  const uint32_t first = machine_.Pending(0).generation();
  Edge(0x52);
  EXPECT_EQ(machine_.Pending(0).generation(), first + 1);
  Edge(0x43);  // of lower priority: nothing changes
  EXPECT_EQ(machine_.Pending(0).generation(), first + 1);
}

TEST_F(TakenEventTest, WhatWasTakenIsInService) {
  Edge(0x41);
  ASSERT_TRUE(machine_.TakeAndReport(0));
  EXPECT_TRUE(machine_.apic(0).isr.Has(0x41));
  EXPECT_EQ(machine_.Offer(0), 0u);
  EXPECT_EQ(machine_.pages[0].acknowledged, EventWord(machine_.pages[0].taken).generation());
}

TEST_F(TakenEventTest, TakingTheLastEventPublishesNothing) {
  Edge(0x41);
  const uint64_t published = machine_.pages[0].pending;
  ASSERT_TRUE(machine_.TakeAndReport(0));
  EXPECT_EQ(machine_.pages[0].pending, published);
}

TEST_F(TakenEventTest, AnEdgeThatOvertakesTheReportIsNotLost) {
  Edge(0x41);
  ASSERT_TRUE(machine_.Take(0));
  Edge(0x41);  // before the report of the first
  machine_.Report(0);
  EXPECT_TRUE(machine_.apic(0).isr.Has(0x41));
  EXPECT_TRUE(machine_.apic(0).irr.Has(0x41));
  machine_.WriteApic(0, ApicRegister::kEoi, 0);
  EXPECT_EQ(machine_.Offer(0), kInterrupt | 0x41);
}

TEST_F(TakenEventTest, AnEndOfInterruptThatOvertakesTheReportEndsTheRightOne) {
  Edge(0x41);
  ASSERT_TRUE(machine_.Take(0));
  machine_.WriteApic(0, ApicRegister::kEoi, 0);
  EXPECT_EQ(machine_.apic(0).isr.Highest(), -1);
  EXPECT_EQ(machine_.apic(0).irr.Highest(), -1);
}

TEST_F(TakenEventTest, TheReportSaysNothingItself) {
  Edge(0x41);
  machine_.Report(0);  // nothing was taken
  EXPECT_EQ(machine_.Offer(0), kInterrupt | 0x41);
  ASSERT_TRUE(machine_.Take(0));
  machine_.Report(0);
  machine_.Report(0);
  EXPECT_TRUE(machine_.apic(0).isr.Has(0x41));
  EXPECT_EQ(machine_.Offer(0), 0u);
}

TEST_F(TakenEventTest, AnOfferOvertakenByTheTakingOfTheLastIsStillAnOffer) {
  Edge(0x41);
  ASSERT_TRUE(machine_.Take(0));
  machine_.Interrupt(
      {.destination = 1, .vector = 0x41});  // for another vCPU: this one is not looked at
  EXPECT_NE(machine_.pages[0].acknowledged, EventWord(machine_.pages[0].taken).generation());
  Edge(0x82);
  EXPECT_EQ(machine_.Offer(0), kInterrupt | 0x82);
  EXPECT_TRUE(machine_.Take(0));
}

TEST_F(TakenEventTest, AnNmiTakenWhileAnotherComesIsTwo) {
  Deliver(0, HV_DELIVERY_NMI);
  ASSERT_TRUE(machine_.Take(0));
  Deliver(0, HV_DELIVERY_NMI);
  EXPECT_EQ(machine_.Offer(0), HV_PENDING_NMI);
}

// The vCPU took something after INIT was delivered and before INIT was published.
class OvertakenByInitTest : public TakenEventTest {
 protected:
  void InitOvertakes(uint64_t taken) {
    Deliver(1, HV_DELIVERY_INIT);
    const uint32_t before = machine_.Pending(1).generation() - 1;
    machine_.pages[1].taken = EventWord::Make(before, taken);
    machine_.Report(1);
    EXPECT_EQ(machine_.Offer(1), HV_PENDING_INIT);
  }
};

TEST_F(OvertakenByInitTest, AnInterruptDoesNotStayInService) {
  Deliver(1, HV_DELIVERY_FIXED, 0x41);
  InitOvertakes(kInterrupt | 0x41);
  EXPECT_EQ(machine_.apic(1).isr.Highest(), -1);
}

TEST_F(OvertakenByInitTest, ASipiDoesNotEndTheWaitForTheNext) {
  machine_.vcpu(1).waits_for_sipi = 1;
  Deliver(1, HV_DELIVERY_STARTUP, 0x10);
  InitOvertakes(HV_PENDING_SIPI | 0x10);
  Deliver(1, HV_DELIVERY_STARTUP, 0x20);
  ASSERT_TRUE(machine_.TakeAndReport(1));
  EXPECT_EQ(machine_.Offer(1), HV_PENDING_SIPI | 0x20);
}

TEST_F(OvertakenByInitTest, TheVectorOfThe8259CountsAsTaken) {
  Deliver(1, HV_DELIVERY_FIXED, 0x41);
  InitOvertakes(HV_PENDING_INTERRUPT | HV_PENDING_EXTINT | 0x30);
  EXPECT_EQ(machine_.state().intr_taken, 1u);
}

// A page a vCPU thread has not written yet, or scribbled over.

TEST_F(TakenEventTest, AFreshPageTakesNothing) {
  Edge(0x41);
  ASSERT_TRUE(machine_.TakeAndReport(0));
  machine_.pages[0] = {};
  machine_.Tick();
  EXPECT_TRUE(machine_.apic(0).isr.Has(0x41));
  EXPECT_EQ(machine_.apic(0).isr.words[0], 0u);
  EXPECT_EQ(machine_.pages[0].acknowledged, 0u);
}

TEST_F(TakenEventTest, WhatWasPendingIsOfferedInAFreshPage) {
  Edge(0x41);
  ASSERT_TRUE(machine_.TakeAndReport(0));
  machine_.WriteApic(0, ApicRegister::kEoi, 0);
  Edge(0x41);
  machine_.pages[0] = {};
  machine_.Tick();
  EXPECT_TRUE(machine_.TakeAndReport(0));
  EXPECT_TRUE(machine_.apic(0).isr.Has(0x41));
}

TEST_F(TakenEventTest, AVectorThatWasNotOfferedIsNotInService) {
  machine_.pages[0].taken = EventWord::Make(99, kInterrupt | 0x03);
  machine_.Report(0);
  EXPECT_EQ(machine_.apic(0).isr.Highest(), -1);
  Edge(0x41);
  EXPECT_EQ(machine_.Offer(0), kInterrupt | 0x41);
}

TEST_F(TakenEventTest, GenerationsWrap) {
  machine_.vcpu(0).published = EventWord::Make(UINT32_MAX, 0);
  machine_.vcpu(0).taken_generation = UINT32_MAX;
  machine_.pages[0].taken = EventWord::Make(UINT32_MAX, HV_PENDING_NMI);
  Edge(0x41);
  EXPECT_EQ(machine_.Pending(0).generation(), 0u);
  EXPECT_TRUE(machine_.TakeAndReport(0));
  EXPECT_TRUE(machine_.apic(0).isr.Has(0x41));
}

}  // namespace
}  // namespace hv::vcpu
