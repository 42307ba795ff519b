#include "vcpu_svc/message_handler.h"

#include "gtest/gtest.h"
#include "vcpu_svc/msr_access.h"
#include "vcpu_svc/paravirtual_clock.h"
#include "vcpu_svc/test_machine.h"

namespace hv::vcpu {
namespace {

using R = ApicRegister;

constexpr uint64_t kInterrupt = HV_PENDING_INTERRUPT;
constexpr uint32_t kApicBaseMsr = 0x1b, kTscDeadlineMsr = 0x6e0, kX2apicMsrs = 0x800;
constexpr uint32_t kTag = 0x1234;

class MessageHandlerTest : public testing::Test {
 protected:
  MessageHandlerTest() {
    for (uint32_t i = 0; i < 2; ++i) {
      machine_.apic(i).svr = 0x1ff;
      machine_.vcpu(i).waits_for_sipi = 0;
    }
  }
  static hv_access Access(uint64_t offset, uint8_t width, uint64_t data = 0) {
    return {.address = HV_LOCAL_APIC_BASE + offset,
            .data = data,
            .width = width,
            .space = HV_SPACE_MMIO};
  }
  // Answers of the last step are exactly one, to vCPU 0 under the tag of its request.
  const service::Outgoing& Answer(uint16_t kind) {
    EXPECT_FALSE(machine_.sent.empty());
    const service::Outgoing& answer = machine_.sent.front();
    EXPECT_EQ(answer.kind, kind);
    EXPECT_EQ(answer.tag, kTag);
    EXPECT_EQ(answer.to, TestMachine::Endpoint(0));
    return answer;
  }
  uint64_t Read(const hv_access& access) {
    machine_.Step(TestMachine::Endpoint(0), HV_KIND_READ, access, kTag);
    return Answer(HV_KIND_READ_DONE).As<hv_access_done>().data;
  }
  void Write(const hv_access& access) {
    machine_.Step(TestMachine::Endpoint(0), HV_KIND_WRITE, access, kTag);
    Answer(HV_KIND_WRITE_DONE);
  }
  hv_msr_done ReadMsr(uint32_t index) {
    machine_.Step(TestMachine::Endpoint(0), HV_KIND_MSR_READ, hv_msr{.index = index}, kTag);
    return Answer(HV_KIND_MSR_DONE).As<hv_msr_done>();
  }
  hv_msr_done WriteMsr(uint32_t index, uint64_t value) {
    machine_.Step(TestMachine::Endpoint(0), HV_KIND_MSR_WRITE,
                  hv_msr{.index = index, .value = value}, kTag);
    return Answer(HV_KIND_MSR_DONE).As<hv_msr_done>();
  }
  void Expire(uint32_t generation, uint32_t vcpu = 0) {
    machine_.Step(TestMachine::kTimer, HV_KIND_DEADLINE_EXPIRED,
                  hv_deadline{.vcpu = vcpu, .generation = generation});
  }
  hv_deadline DeadlineSet() {
    const auto sent = machine_.Sent(HV_KIND_DEADLINE_SET);
    EXPECT_EQ(sent.size(), 1u);
    if (sent.empty()) return {};
    EXPECT_EQ(sent[0].to, TestMachine::kTimer);
    return sent[0].As<hv_deadline>();
  }

  TestMachine machine_{2};
};

// The register page.

TEST_F(MessageHandlerTest, TheRegisterPageIsTheSendersOwn) {
  Write(Access(R::kTpr * 16, 4, 0x30));
  EXPECT_EQ(machine_.apic(0).tpr, 0x30u);
  EXPECT_EQ(machine_.apic(1).tpr, 0u);
  EXPECT_EQ(Read(Access(R::kTpr * 16, 4)), 0x30u);
}

TEST_F(MessageHandlerTest, PostedWritesAreNotAnswered) {
  machine_.Step(TestMachine::Endpoint(0), HV_KIND_WRITE_POSTED, Access(R::kTpr * 16, 4, 0x30));
  EXPECT_EQ(machine_.apic(0).tpr, 0x30u);
  EXPECT_TRUE(machine_.sent.empty());
}

TEST_F(MessageHandlerTest, BytesOfARegisterCanBeReadAndThereAreFour) {
  EXPECT_EQ(Read(Access(R::kVersion * 16, 1)) & 0xff, 0x14u);
  EXPECT_EQ(Read(Access(R::kVersion * 16 + 2, 2)), 0x0105u);
  EXPECT_EQ(Read(Access(R::kVersion * 16 + 4, 4)), 0u);
  EXPECT_EQ(Read(Access(R::kVersion * 16 + 15, 1)), 0u);
}

TEST_F(MessageHandlerTest, OnlyAlignedWordsCanBeWritten) {
  Write(Access(R::kTpr * 16, 1, 0x30));
  Write(Access(R::kTpr * 16, 8, 0x30));
  Write(Access(R::kTpr * 16 + 4, 4, 0x30));
  EXPECT_EQ(machine_.apic(0).tpr, 0u);
}

TEST_F(MessageHandlerTest, OutsideXapicModeThePageReadsAllOnes) {
  WriteMsr(kApicBaseMsr, machine_.apic(0).base | ApicBase::kX2apic);
  EXPECT_EQ(Read(Access(R::kVersion * 16, 4)), UINT64_MAX);
  Write(Access(R::kTpr * 16, 4, 0x30));
  EXPECT_EQ(machine_.apic(0).tpr, 0u);
  WriteMsr(kApicBaseMsr, HV_LOCAL_APIC_BASE);
  EXPECT_EQ(Read(Access(R::kVersion * 16, 4)), UINT64_MAX);
}

TEST_F(MessageHandlerTest, PortsAndOtherAddressesReadAllOnes) {
  hv_access port = Access(R::kVersion * 16, 4);
  port.space = HV_SPACE_PORT;
  EXPECT_EQ(Read(port), UINT64_MAX);
  EXPECT_EQ(Read(Access(HV_LOCAL_APIC_BYTES, 4)), UINT64_MAX);
  EXPECT_EQ(Read(Access(-4, 4)), UINT64_MAX);
}

TEST_F(MessageHandlerTest, AnErrorOfAReadInterruptsAtOnce) {
  machine_.WriteApic(0, R::kLvtError, 0xfe);
  Read(Access(0, 4));
  EXPECT_EQ(machine_.Offer(0), kInterrupt | 0xfe);
}

// MSRs and CR8.

TEST_F(MessageHandlerTest, MsrsAnswerTheirValueOrAFault) {
  EXPECT_EQ(ReadMsr(0xfe).value, 0x508u);
  EXPECT_EQ(ReadMsr(0xfe).fault, 0u);
  EXPECT_EQ(WriteMsr(0xfe, 0).fault, 1u);
  EXPECT_EQ(ReadMsr(0xdead).fault, 1u);
  EXPECT_EQ(ReadMsr(0xdead).value, 0u);
  EXPECT_EQ(WriteMsr(0x2ff, 0xc06).fault, 0u);
  EXPECT_EQ(ReadMsr(0x2ff).value, 0xc06u);
}

TEST_F(MessageHandlerTest, Cr8IsTheClassOfTheTaskPriority) {
  machine_.Step(TestMachine::kIoapic, HV_KIND_INTERRUPT, hv_interrupt{.vector = 0x51});
  machine_.Step(TestMachine::Endpoint(0), HV_KIND_CR8_WRITE, hv_msr{.value = 5}, kTag);
  EXPECT_EQ(Answer(HV_KIND_MSR_DONE).As<hv_msr_done>().fault, 0u);
  EXPECT_EQ(machine_.apic(0).tpr, 0x50u);
  EXPECT_EQ(machine_.Offer(0), 0u);
  machine_.Step(TestMachine::Endpoint(0), HV_KIND_CR8_WRITE, hv_msr{.value = 4}, kTag);
  EXPECT_EQ(machine_.Offer(0), kInterrupt | 0x51);
}

TEST_F(MessageHandlerTest, SwitchingTheApicOffWithdrawsWhatItOffered) {
  machine_.Interrupt({.destination = 0, .vector = 0x51});
  WriteMsr(kApicBaseMsr, HV_LOCAL_APIC_BASE);
  EXPECT_EQ(machine_.Offer(0), 0u);
}

// Interprocessor interrupts.

TEST_F(MessageHandlerTest, AnIpiReachesItsDestination) {
  machine_.WriteApic(0, R::kIcrHigh, 0x01000000);
  machine_.WriteApic(0, R::kIcrLow, 0x4051);
  EXPECT_EQ(machine_.Offer(1), kInterrupt | 0x51);
  EXPECT_EQ(machine_.Offer(0), 0u);
  EXPECT_EQ(machine_.wakes[1], 1);
}

TEST_F(MessageHandlerTest, AnX2apicIpiReachesItsLogicalDestination) {
  for (uint32_t i = 0; i < 2; ++i) {
    machine_.WriteMsr(i, kApicBaseMsr, machine_.apic(i).base | ApicBase::kX2apic);
  }
  machine_.WriteMsr(0, kX2apicMsrs + R::kIcrLow, 0x00000002'00004851);
  EXPECT_EQ(machine_.Offer(1), kInterrupt | 0x51);
}

TEST_F(MessageHandlerTest, SelfIpiReachesTheSender) {
  machine_.WriteMsr(1, kApicBaseMsr, machine_.apic(1).base | ApicBase::kX2apic);
  machine_.WriteMsr(1, kX2apicMsrs + R::kSelfIpi, 0x51);
  EXPECT_EQ(machine_.Offer(1), kInterrupt | 0x51);
}

TEST_F(MessageHandlerTest, EndOfALevelInterruptIsToldToTheIoapics) {
  machine_.Interrupt({.destination = 0, .vector = 0x51, .level = 1, .assert_level = 1});
  ASSERT_TRUE(machine_.TakeAndReport(0));
  machine_.WriteApic(0, R::kEoi, 0);
  const auto sent = machine_.Sent(HV_KIND_EOI);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].to, TestMachine::kIoapic);
  EXPECT_EQ(sent[0].As<hv_eoi>().vector, 0x51u);
}

TEST_F(MessageHandlerTest, AnIpiIsNoLevelInterruptWhateverTheCommandSays) {
  machine_.WriteApic(0, R::kIcrHigh, 0x01000000);
  machine_.WriteApic(0, R::kIcrLow, 0xc051);
  ASSERT_TRUE(machine_.TakeAndReport(1));
  machine_.WriteApic(1, R::kEoi, 0);
  EXPECT_TRUE(machine_.Sent(HV_KIND_EOI).empty());
}

// Deadlines.

TEST_F(MessageHandlerTest, ADeadlineIsToldWithTheVcpuAndANewGeneration) {
  machine_.now_ns = 1000;
  machine_.WriteApic(1, R::kDivide, 0xb);
  machine_.WriteApic(1, R::kInitialCount, 500);
  const hv_deadline first = DeadlineSet();
  EXPECT_EQ(first.vcpu, 1u);
  EXPECT_EQ(first.time_ns, 1500u);
  machine_.WriteApic(1, R::kInitialCount, 0);
  EXPECT_EQ(DeadlineSet().time_ns, 0u);
  EXPECT_EQ(DeadlineSet().generation, first.generation + 1);
}

TEST_F(MessageHandlerTest, AnExpiryOfAnOldGenerationIsIgnored) {
  machine_.WriteApic(0, R::kLvtTimer, 0x51);
  machine_.WriteApic(0, R::kInitialCount, 500);
  const uint32_t old = DeadlineSet().generation;
  machine_.WriteApic(0, R::kInitialCount, 900);
  Expire(old);
  EXPECT_FALSE(machine_.refused);
  EXPECT_EQ(machine_.Offer(0), 0u);
  Expire(old + 1);
  EXPECT_EQ(machine_.Offer(0), kInterrupt | 0x51);
}

TEST_F(MessageHandlerTest, AOneShotExpiresOnceHoweverOftenItIsSaid) {
  machine_.WriteApic(0, R::kLvtTimer, 0x51);
  machine_.WriteApic(0, R::kInitialCount, 500);
  const uint32_t generation = DeadlineSet().generation;
  Expire(generation);
  ASSERT_TRUE(machine_.TakeAndReport(0));
  machine_.WriteApic(0, R::kEoi, 0);
  Expire(generation);
  EXPECT_EQ(machine_.Offer(0), 0u);
}

TEST_F(MessageHandlerTest, APeriodicTimerIsArmedAgain) {
  machine_.WriteApic(0, R::kDivide, 0xb);
  machine_.WriteApic(0, R::kLvtTimer, 1u << 17 | 0x51);
  machine_.WriteApic(0, R::kInitialCount, 1'000'000);
  const hv_deadline first = DeadlineSet();
  machine_.now_ns = 1'000'100;
  Expire(first.generation);
  EXPECT_EQ(DeadlineSet().time_ns, 2'000'000u);
  EXPECT_EQ(DeadlineSet().generation, first.generation + 1);
}

TEST_F(MessageHandlerTest, ATscDeadlineIsAMachineTime) {
  machine_.WriteApic(0, R::kLvtTimer, 2u << 17 | 0x51);
  machine_.WriteMsr(0, kTscDeadlineMsr, 2 * TestMachine::kTscHz);
  EXPECT_EQ(DeadlineSet().time_ns, 2'000'000'000u);
  Expire(DeadlineSet().generation);
  EXPECT_EQ(ReadMsr(kTscDeadlineMsr).value, 0u);
  EXPECT_EQ(machine_.Offer(0), kInterrupt | 0x51);
}

TEST_F(MessageHandlerTest, ExpiriesOfVcpusThatDoNotExistAreRefused) {
  Expire(0, 2);
  EXPECT_TRUE(machine_.refused);
}

// Foreign messages.

TEST_F(MessageHandlerTest, RequestsOfVcpusThatDoNotExistAreRefusedAndAnswered) {
  for (const uint16_t kind : {HV_KIND_READ, HV_KIND_WRITE, HV_KIND_MSR_READ, HV_KIND_MSR_WRITE,
                              HV_KIND_CR8_WRITE, HV_KIND_CR8_READ}) {
    machine_.Step(TestMachine::Endpoint(2), kind, hv_msr{.index = 0xfe}, kTag);
    EXPECT_TRUE(machine_.refused);
    ASSERT_EQ(machine_.sent.size(), 1u);
    EXPECT_EQ(machine_.sent[0].to, TestMachine::Endpoint(2));
    if (machine_.sent[0].kind == HV_KIND_MSR_DONE) {
      EXPECT_EQ(machine_.sent[0].As<hv_msr_done>().fault, 1u);
    }
  }
}

TEST_F(MessageHandlerTest, MessagesOfOtherServicesAreRefused) {
  for (const uint16_t kind : {HV_KIND_NONE, HV_KIND_LINE, HV_KIND_EOI, HV_KIND_DEADLINE_SET}) {
    machine_.Step(TestMachine::kIoapic, kind, uint64_t{0});
    EXPECT_TRUE(machine_.refused);
    EXPECT_TRUE(machine_.sent.empty());
  }
}

// The paravirtual clock.
TEST_F(MessageHandlerTest, AClocksMsrIsAnsweredOnceMemoryHasItsRecord) {
  machine_.Step(TestMachine::Endpoint(0), HV_KIND_MSR_WRITE,
                hv_msr{.index = kSystemTimeMsr, .value = 0x5001}, kTag);
  ASSERT_EQ(machine_.sent.size(), 1u);
  EXPECT_EQ(machine_.sent[0].to, HV_ENDPOINT(HV_ROLE_MMU, 0));
  EXPECT_EQ(machine_.sent[0].kind, HV_KIND_STORE);
  EXPECT_EQ(machine_.sent[0].As<hv_store>().address, 0x5000u);
  machine_.Step(HV_ENDPOINT(HV_ROLE_MMU, 0), HV_KIND_STORE_DONE, hv_store_done{},
                machine_.sent[0].tag);
  EXPECT_EQ(Answer(HV_KIND_MSR_DONE).As<hv_msr_done>().fault, 0u);
  EXPECT_EQ(ReadMsr(kSystemTimeMsr).value, 0x5001u);
}

TEST_F(MessageHandlerTest, SwitchingTheClockOffIsAnsweredAtOnce) {
  EXPECT_EQ(WriteMsr(kSystemTimeMsr, 0x5000).fault, 0u);
  EXPECT_TRUE(machine_.Sent(HV_KIND_STORE).empty());
}

TEST_F(MessageHandlerTest, AMovedTscIsWrittenIntoTheClocksRecordUnderANewVersion) {
  machine_.Step(TestMachine::Endpoint(0), HV_KIND_MSR_WRITE,
                hv_msr{.index = kSystemTimeMsr, .value = 0x5001}, kTag);
  const auto first = machine_.sent.at(0).As<hv_store>();
  machine_.Step(HV_ENDPOINT(HV_ROLE_MMU, 0), HV_KIND_STORE_DONE, hv_store_done{},
                machine_.sent[0].tag);
  machine_.Step(TestMachine::Endpoint(0), HV_KIND_MSR_WRITE,
                hv_msr{.index = kTscAdjustMsr, .value = 777}, kTag);
  ASSERT_EQ(machine_.sent.size(), 1u);
  ASSERT_EQ(machine_.sent[0].kind, HV_KIND_STORE);
  const auto second = machine_.sent[0].As<hv_store>();
  EXPECT_EQ(second.address, 0x5000u);
  EXPECT_NE(second.bytes[0], first.bytes[0]);
  EXPECT_EQ(second.bytes[8] | second.bytes[9] << 8, 777);
}

TEST_F(MessageHandlerTest, AMovedTscMovesTheDeadlineItIsAwaitedAt) {
  machine_.apic(0).lvt[static_cast<uint32_t>(Lvt::kTimer)] = 2u << 17 | 0xec;
  WriteMsr(kTscDeadlineMsr, 2 * TestMachine::kTscHz);
  EXPECT_EQ(DeadlineSet().time_ns, 2'000'000'000u);
  WriteMsr(kTscAdjustMsr, TestMachine::kTscHz);
  EXPECT_EQ(DeadlineSet().time_ns, 1'000'000'000u);
  EXPECT_EQ(ReadMsr(kTscDeadlineMsr).value, 2 * TestMachine::kTscHz);
  EXPECT_EQ(ReadMsr(kTscAdjustMsr).value, TestMachine::kTscHz);
}

TEST_F(MessageHandlerTest, Cr8IsTheClassOfTheTaskPriorityHoweverThatWasWritten) {
  Write(Access(R::kTpr * 16, 4, 0x73));
  machine_.Step(TestMachine::Endpoint(0), HV_KIND_CR8_READ, hv_msr{}, kTag);
  EXPECT_EQ(Answer(HV_KIND_MSR_DONE).As<hv_msr_done>().value, 7u);
}

TEST_F(MessageHandlerTest, StoresNobodyAskedForAnswerNobody) {
  for (const uint32_t tag : {0u, 1u, 2u, UINT32_MAX}) {
    machine_.Step(HV_ENDPOINT(HV_ROLE_MMU, 0), HV_KIND_STORE_DONE, hv_store_done{}, tag);
    EXPECT_TRUE(machine_.refused);
    EXPECT_TRUE(machine_.sent.empty());
  }
}

TEST_F(MessageHandlerTest, WhatIoapicSvcCannotMeanIsRefused) {
  machine_.Step(TestMachine::kIoapic, HV_KIND_INTR, hv_intr{.asserted = 1, .vector = 0x120});
  EXPECT_TRUE(machine_.refused);
  machine_.Step(TestMachine::kIoapic, HV_KIND_INTR, hv_intr{.asserted = 2, .vector = 0x20});
  EXPECT_TRUE(machine_.refused);
  machine_.Step(TestMachine::kIoapic, HV_KIND_INTERRUPT,
                hv_interrupt{.vector = 0x41, .delivery_mode = HV_DELIVERY_EXTINT + 1});
  EXPECT_TRUE(machine_.refused);
  EXPECT_EQ(machine_.Offer(0), 0u);
}

}  // namespace
}  // namespace hv::vcpu
