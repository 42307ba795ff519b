#include "vcpu_svc/interrupt_routing.h"

#include "gtest/gtest.h"
#include "vcpu_svc/test_machine.h"

namespace hv::vcpu {
namespace {

constexpr uint32_t kCluster = DestinationFormat::kCluster;

LocalApicState Xapic(uint32_t id, uint32_t ldr = 0, uint32_t dfr = DestinationFormat::kFlat) {
  LocalApicState apic;
  LocalApic(apic).Reset(id, false);
  apic.ldr = ldr << 24;
  apic.dfr = dfr;
  return apic;
}
LocalApicState X2apic(uint32_t id) {
  LocalApicState apic = Xapic(id);
  apic.base |= ApicBase::kX2apic;
  apic.ldr = X2apicLogicalId(id);
  return apic;
}
Destination Physical(uint32_t id) { return {.id = id, .logical = false, .from_outside = false}; }
Destination Logical(uint32_t id) { return {.id = id, .logical = true, .from_outside = false}; }
Destination Outside(uint32_t id, bool logical) {
  return {.id = id, .logical = logical, .from_outside = true};
}

TEST(Matches, APhysicalDestinationIsOneId) {
  EXPECT_TRUE(Matches(Physical(5), Xapic(5)));
  EXPECT_FALSE(Matches(Physical(4), Xapic(5)));
  EXPECT_TRUE(Matches(Physical(5), X2apic(5)));
  EXPECT_FALSE(Matches(Physical(0x105), X2apic(5)));
}

TEST(Matches, FlatLogicalDestinationsAreMasks) {
  EXPECT_TRUE(Matches(Logical(0x06), Xapic(0, 0x04)));
  EXPECT_FALSE(Matches(Logical(0x0b), Xapic(0, 0x04)));
  EXPECT_FALSE(Matches(Logical(0x06), Xapic(0, 0)));
  EXPECT_FALSE(Matches(Logical(0), Xapic(0, 0x04)));
}

TEST(Matches, ClusterLogicalDestinationsAreAClusterAndAMask) {
  const LocalApicState apic = Xapic(0, 0x24, kCluster);
  EXPECT_TRUE(Matches(Logical(0x2c), apic));
  EXPECT_FALSE(Matches(Logical(0x2b), apic));
  EXPECT_FALSE(Matches(Logical(0x14), apic));
}

TEST(Matches, OtherModelsOfTheDestinationFormatMatchNothing) {
  EXPECT_FALSE(Matches(Logical(0x04), Xapic(0, 0x04, 0x5fffffff)));
}

TEST(Matches, X2apicLogicalDestinationsAreAClusterOfSixteenAndAMask) {
  EXPECT_TRUE(Matches(Logical(0x00010008), X2apic(19)));
  EXPECT_TRUE(Matches(Logical(0x0001ffff), X2apic(19)));
  EXPECT_FALSE(Matches(Logical(0x00010004), X2apic(19)));
  EXPECT_FALSE(Matches(Logical(0x00000008), X2apic(19)));
}

TEST(Matches, AllOnesIsEverybody) {
  for (const bool logical : {false, true}) {
    EXPECT_TRUE(Matches({0xff, logical, false}, Xapic(5)));
    EXPECT_TRUE(Matches({0xff, logical, false}, Xapic(5, 0, kCluster)));
    EXPECT_TRUE(Matches({0xffffffff, logical, false}, Xapic(5)));
    EXPECT_TRUE(Matches({0xffffffff, logical, false}, X2apic(5)));
  }
  EXPECT_FALSE(Matches(Physical(0xff), X2apic(5)));
  EXPECT_FALSE(Matches(Logical(0xff), X2apic(19)));
  EXPECT_FALSE(Matches(Logical(0x000100ff), Xapic(5)));
}

TEST(Matches, FromOutsideEightOnesAreEverybodyInX2apicModeToo) {
  EXPECT_TRUE(Matches(Outside(0xff, false), X2apic(19)));
  EXPECT_TRUE(Matches(Outside(0xff, true), X2apic(19)));
  EXPECT_TRUE(Matches(Outside(0x02, true), X2apic(1)));
  EXPECT_FALSE(Matches(Outside(0xfe, false), X2apic(19)));
}

TEST(Matches, AnApicThatIsOffIsNeverMeant) {
  LocalApicState apic = Xapic(5);
  apic.base &= ~ApicBase::kEnable;
  EXPECT_FALSE(Matches(Physical(5), apic));
  EXPECT_FALSE(Matches(Physical(0xff), apic));
}

class RecipientsTest : public testing::Test {
 protected:
  RecipientsTest() {
    for (uint32_t i = 0; i < kCpus; ++i) machine_.apic(i).svr = 0x1ff;
  }
  VcpuSet To(Shorthand shorthand, uint32_t from, uint8_t mode = HV_DELIVERY_FIXED) {
    return Recipients(machine_.state(), kCpus, from,
                      {.destination = Physical(0xff),
                       .shorthand = shorthand,
                       .vector = 0x41,
                       .delivery_mode = mode});
  }
  VcpuSet Lowest() { return To(Shorthand::kNone, kCpus, HV_DELIVERY_LOWEST_PRIORITY); }

  static constexpr uint32_t kCpus = 4;
  TestMachine machine_{kCpus};
};

TEST_F(RecipientsTest, Shorthands) {
  EXPECT_EQ(To(Shorthand::kSelf, 2), 0b0100u);
  EXPECT_EQ(To(Shorthand::kAll, 2), 0b1111u);
  EXPECT_EQ(To(Shorthand::kAllButSelf, 2), 0b1011u);
  EXPECT_EQ(To(Shorthand::kNone, 2), 0b1111u);
}

TEST_F(RecipientsTest, ShorthandsLeaveOutApicsThatAreOff) {
  machine_.apic(1).base &= ~ApicBase::kEnable;
  EXPECT_EQ(To(Shorthand::kAll, 2), 0b1101u);
  EXPECT_EQ(To(Shorthand::kAllButSelf, 2), 0b1001u);
}

TEST_F(RecipientsTest, LowestPriorityTakesTurnsAmongEquals) {
  EXPECT_EQ(Lowest(), 0b0001u);
  EXPECT_EQ(Lowest(), 0b0010u);
  EXPECT_EQ(Lowest(), 0b0100u);
  EXPECT_EQ(Lowest(), 0b1000u);
  EXPECT_EQ(Lowest(), 0b0001u);
}

TEST_F(RecipientsTest, LowestPriorityGoesToTheLeastBusy) {
  for (uint32_t i = 0; i < kCpus; ++i) machine_.apic(i).tpr = 0x80;
  machine_.apic(2).tpr = 0x40;
  machine_.apic(3).tpr = 0;
  machine_.apic(3).isr.Add(0xe1);
  EXPECT_EQ(Lowest(), 0b0100u);
  EXPECT_EQ(Lowest(), 0b0100u);
}

TEST_F(RecipientsTest, LowestPriorityLeavesOutTheDisabled) {
  machine_.apic(0).svr = 0xff;
  machine_.apic(1).base &= ~ApicBase::kEnable;
  EXPECT_EQ(Lowest(), 0b0100u);
  machine_.apic(2).svr = machine_.apic(3).svr = 0xff;
  EXPECT_EQ(Lowest(), 0u);
}

TEST_F(RecipientsTest, LowestPriorityToAllButSelfIsOneOfThem) {
  EXPECT_EQ(To(Shorthand::kAllButSelf, 0, HV_DELIVERY_LOWEST_PRIORITY), 0b0010u);
}

TEST(Recipients, SixtyFourCpusCanAllBeMeant) {
  TestMachine machine(64);
  const InterruptMessage all{.destination = Physical(0), .shorthand = Shorthand::kAll};
  EXPECT_EQ(Recipients(machine.state(), 64, 0, all), UINT64_MAX);
  const InterruptMessage last{.destination = Physical(63), .shorthand = Shorthand::kNone};
  EXPECT_EQ(Recipients(machine.state(), 64, 0, last), 1ull << 63);
}

}  // namespace
}  // namespace hv::vcpu
