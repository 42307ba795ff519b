#include "ioapic_svc/ioapic_core.h"

#include "gtest/gtest.h"
#include "ioapic_svc/test_service.h"

namespace hv::ioapic {
namespace {

constexpr uint64_t kEdge = 0x41, kLevel = 0x8041;

class IoapicCoreTest : public testing::Test {
 protected:
  TestService service_;
};

TEST_F(IoapicCoreTest, ResetSaysNothing) {
  service::Actions actions;
  service_.core().Reset(&service_.state, 0, actions);
  EXPECT_TRUE(actions.messages().empty());
  EXPECT_EQ(actions.wake_at_ns(), service::kNever);
}

TEST_F(IoapicCoreTest, AReadIsAnsweredToWhoAskedWithItsTag) {
  service_.Send(HV_ENDPOINT(HV_ROLE_KERNEL, 3), HV_KIND_READ,
                service::AccessTo(HV_SPACE_PORT, 0x21, 1), 77);
  ASSERT_EQ(service_.sent.size(), 1u);
  EXPECT_EQ(service_.sent[0].to, HV_ENDPOINT(HV_ROLE_KERNEL, 3));
  EXPECT_EQ(service_.sent[0].kind, HV_KIND_READ_DONE);
  EXPECT_EQ(service_.sent[0].tag, 77u);
  EXPECT_EQ(service_.sent[0].As<hv_access_done>().data, 0xffu);
}

TEST_F(IoapicCoreTest, APostedWriteIsNotAnswered) {
  EXPECT_TRUE(service_.Send(TestService::kCpu, HV_KIND_WRITE_POSTED,
                            service::AccessTo(HV_SPACE_PORT, 0x21, 1, 0x5a)));
  EXPECT_TRUE(service_.sent.empty());
  EXPECT_EQ(service_.In(0x21), 0x5a);
}

TEST_F(IoapicCoreTest, AWordAtAPairOfPortsIsTwoBytes) {
  service_.Write(HV_SPACE_PORT, 0x4d0, 2, 0x0e20);
  EXPECT_EQ(service_.Read(HV_SPACE_PORT, 0x4d0, 2), 0x0e20u);
  EXPECT_EQ(service_.Read(HV_SPACE_PORT, 0x4d1, 2), 0xff0eu) << "nothing is at the second port";
}

TEST_F(IoapicCoreTest, BytesAndWordsOfARegisterCanBeRead) {
  service_.Write(HV_SPACE_MMIO, HV_IOAPIC_BASE, 1, 1);
  EXPECT_EQ(service_.Read(HV_SPACE_MMIO, HV_IOAPIC_BASE + 0x10, 1), 0x20u);
  EXPECT_EQ(service_.Read(HV_SPACE_MMIO, HV_IOAPIC_BASE + 0x12, 1), 0x17u);
  EXPECT_EQ(service_.Read(HV_SPACE_MMIO, HV_IOAPIC_BASE + 0x12, 2), 0x0017u);
  EXPECT_EQ(service_.Read(HV_SPACE_MMIO, HV_IOAPIC_BASE + 0x10, 8), 0x00170020u);
}

TEST_F(IoapicCoreTest, MalformedAccessesAreRefusedButAnswered) {
  const hv_access malformed[] = {
      service::AccessTo(HV_SPACE_PORT, 0x20, 0),
      service::AccessTo(HV_SPACE_PORT, 0x20, 8),
      service::AccessTo(HV_SPACE_PORT, 0x20, 255, 0),
      service::AccessTo(HV_SPACE_PORT, 0x10020, 1),
      service::AccessTo(HV_SPACE_MMIO, HV_IOAPIC_BASE, 3),
      service::AccessTo(HV_SPACE_MMIO, HV_IOAPIC_BASE - 1, 4),
      service::AccessTo(HV_SPACE_MMIO, HV_IOAPIC_BASE + HV_IOAPIC_BYTES, 4),
      service::AccessTo(static_cast<hv_space>(9), 0x20, 1),
  };
  for (const hv_access& access : malformed) service_.ExpectRefused(access);
}

TEST_F(IoapicCoreTest, AnUnknownKindIsRefused) {
  EXPECT_FALSE(service_.Send(TestService::kVcpu, HV_KIND_DEADLINE_SET, hv_deadline{}));
  EXPECT_TRUE(service_.sent.empty());
}

TEST_F(IoapicCoreTest, ALineReachesBothChips) {
  service_.InitializePics();
  service_.SetEntry(4, kEdge);
  service_.Line(4, true);
  ASSERT_EQ(service_.Interrupts().size(), 1u);
  const auto intrs = service_.Intrs();
  ASSERT_EQ(intrs.size(), 1u);
  EXPECT_EQ(intrs[0].asserted, 1u);
  EXPECT_EQ(intrs[0].vector, 0x34u);
}

TEST_F(IoapicCoreTest, TheTimersGsiTwoIsIrqZero) {
  service_.InitializePics();
  service_.SetEntry(2, kEdge);
  service_.Line(2, true);
  EXPECT_EQ(service_.Interrupts().size(), 1u);
  EXPECT_EQ(service_.Intrs().at(0).vector, 0x30u);
}

TEST_F(IoapicCoreTest, APulseIsEnoughForThe8259Pair) {
  service_.InitializePics();
  service_.Pulse(2);
  const auto intrs = service_.Intrs();
  ASSERT_EQ(intrs.size(), 1u);
  EXPECT_EQ(intrs[0].asserted, 1u);
}

TEST_F(IoapicCoreTest, ASharedLineIsUpWhileAnySourceHoldsIt) {
  service_.SetEntry(9, kLevel);
  service_.Line(9, true, TestService::kTimer);
  service_.Line(9, true, TestService::kSerial);
  service_.Line(9, false, TestService::kTimer);
  EXPECT_EQ(service_.Interrupts().size(), 1u);
  service_.Send(TestService::kVcpu, HV_KIND_EOI, hv_eoi{.vector = 0x41});
  EXPECT_EQ(service_.Interrupts().size(), 1u) << "the other still asks";
  service_.Line(9, false, TestService::kSerial);
  service_.Send(TestService::kVcpu, HV_KIND_EOI, hv_eoi{.vector = 0x41});
  EXPECT_TRUE(service_.Interrupts().empty());
}

TEST_F(IoapicCoreTest, InstancesOfOneRoleAreDifferentSources) {
  service_.SetEntry(4, kEdge);
  service_.Line(4, true, HV_ENDPOINT(HV_ROLE_SERIAL, 0));
  service_.Line(4, true, HV_ENDPOINT(HV_ROLE_SERIAL, 2));
  service_.Line(4, false, HV_ENDPOINT(HV_ROLE_SERIAL, 0));
  service_.Line(4, true, HV_ENDPOINT(HV_ROLE_SERIAL, 0));
  EXPECT_EQ(service_.Interrupts().size(), 1u) << "the line never fell";
  EXPECT_FALSE(service_.Line(4, true, HV_ENDPOINT(HV_ROLE_SERIAL, 4)));
}

TEST_F(IoapicCoreTest, LinesThatAreNotThereAreRefused) {
  EXPECT_FALSE(service_.Line(HV_IOAPIC_INPUTS, true));
  EXPECT_FALSE(service_.Line(UINT32_MAX, true));
  EXPECT_TRUE(service_.sent.empty());
}

TEST_F(IoapicCoreTest, VectorsThatAreNoneAreRefused) {
  EXPECT_FALSE(service_.Send(TestService::kVcpu, HV_KIND_EOI, hv_eoi{.vector = 0x141}));
  EXPECT_FALSE(
      service_.Send(HV_ENDPOINT(HV_ROLE_KERNEL, 0), HV_KIND_INTA, hv_intr{.vector = 0x120}));
  EXPECT_TRUE(service_.Send(HV_ENDPOINT(HV_ROLE_KERNEL, 0), HV_KIND_INTA, hv_intr{.vector = 0x20}));
}

TEST_F(IoapicCoreTest, TheEoiRegisterEndsALevelInterrupt) {
  service_.SetEntry(9, kLevel);
  service_.Line(9, true);
  service_.Interrupts();
  service_.Write(HV_SPACE_MMIO, HV_IOAPIC_BASE + 0x40, 4, 0x41);
  EXPECT_EQ(service_.Interrupts().size(), 1u);
}

TEST_F(IoapicCoreTest, TheOutputIsToldOnlyWhenItChanges) {
  service_.InitializePics();
  service_.Pulse(4);
  service_.Pulse(6);
  EXPECT_EQ(service_.Intrs().size(), 1u) << "6 changes nothing";
  service_.Pulse(1);
  EXPECT_EQ(service_.Intrs().at(0).vector, 0x31u);
  service_.Out(0x21, 0xff);
  EXPECT_EQ(service_.Intrs().at(0).asserted, 0u);
}

TEST_F(IoapicCoreTest, AnAcknowledgeIsFollowedByTheNextVector) {
  service_.InitializePics();
  service_.Pulse(4);
  service_.Intrs();
  service_.Pulse(1);
  service_.Intrs();
  service_.Send(TestService::kCpu, HV_KIND_INTA, hv_intr{.asserted = 0, .vector = 0x31});
  EXPECT_TRUE(service_.Intrs().empty()) << "4 waits for the EOI";
  service_.Out(0x20, 0x20);
  const auto intrs = service_.Intrs();
  ASSERT_EQ(intrs.size(), 1u);
  EXPECT_EQ(intrs[0].vector, 0x34u);
}

TEST_F(IoapicCoreTest, AnOutputStillHighAfterAnAcknowledgeIsToldAgain) {
  service_.InitializePics();
  service_.Pulse(4);
  service_.Pulse(1);
  service_.Intrs();
  // The vCPU took 34H before it heard of 31H.
  service_.Send(TestService::kCpu, HV_KIND_INTA, hv_intr{.asserted = 0, .vector = 0x34});
  const auto intrs = service_.Intrs();
  ASSERT_EQ(intrs.size(), 1u);
  EXPECT_EQ(intrs[0].vector, 0x31u);
  EXPECT_EQ(intrs[0].acknowledged, 1u) << "told in knowledge of it";
}

TEST_F(IoapicCoreTest, AGsiPastTheChipsLeadsToTheMessageItsDeviceChose) {
  EXPECT_TRUE(service_.Send(
      TestService::kSerial, HV_KIND_GSI_ROUTE,
      hv_gsi_route{.address = 0xfee02000, .data = 0x61, .gsi = HV_IOAPIC_INPUTS, .enabled = 1}));
  EXPECT_TRUE(service_.Line(HV_IOAPIC_INPUTS, true, TestService::kSerial));
  const auto interrupts = service_.Interrupts();
  ASSERT_EQ(interrupts.size(), 1u);
  EXPECT_EQ(interrupts[0].destination, 2u);
  EXPECT_EQ(interrupts[0].vector, 0x61);
}

}  // namespace
}  // namespace hv::ioapic
