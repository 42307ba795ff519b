#include "vcpu_svc/apic_priority.h"

#include "gtest/gtest.h"

namespace hv::vcpu {
namespace {

class ApicPriorityTest : public testing::Test {
 protected:
  ApicPriorityTest() { LocalApic(apic_).Reset(0, true); }
  LocalApicState apic_;
};

TEST_F(ApicPriorityTest, NothingInServiceLeavesTheTaskPriority) {
  apic_.tpr = 0x47;
  EXPECT_EQ(ProcessorPriority(apic_), 0x47u);
}

TEST_F(ApicPriorityTest, AHigherClassInServiceHidesTheTaskPriority) {
  apic_.tpr = 0x47;
  apic_.isr.Add(0x53);
  EXPECT_EQ(ProcessorPriority(apic_), 0x50u);
}

TEST_F(ApicPriorityTest, OfEqualClassesTheTaskPriorityShows) {
  apic_.tpr = 0x57;
  apic_.isr.Add(0x5f);
  EXPECT_EQ(ProcessorPriority(apic_), 0x57u);
}

TEST_F(ApicPriorityTest, TheHighestInServiceCounts) {
  apic_.isr.Add(0x31);
  apic_.isr.Add(0xe2);
  apic_.isr.Add(0x80);
  EXPECT_EQ(ProcessorPriority(apic_), 0xe0u);
}

TEST_F(ApicPriorityTest, TheHighestRequestIsDelivered) {
  apic_.irr.Add(0x31);
  apic_.irr.Add(0xff);
  EXPECT_EQ(Deliverable(apic_), 0xff);
}

TEST_F(ApicPriorityTest, ARequestNeedsAHigherClassThanThePriority) {
  apic_.irr.Add(0x4f);
  apic_.tpr = 0x40;
  EXPECT_EQ(Deliverable(apic_), -1);
  apic_.tpr = 0x3f;
  EXPECT_EQ(Deliverable(apic_), 0x4f);
  apic_.isr.Add(0x41);
  EXPECT_EQ(Deliverable(apic_), -1);
}

TEST_F(ApicPriorityTest, NoRequestNothingDelivered) { EXPECT_EQ(Deliverable(apic_), -1); }

TEST_F(ApicPriorityTest, RequestsOutliveTheSoftwareDisable) {
  apic_.irr.Add(0x80);
  ASSERT_FALSE(LocalApic(apic_).software_enabled());
  EXPECT_EQ(Deliverable(apic_), 0x80);
}

TEST_F(ApicPriorityTest, AnApicThatIsOffDeliversNothing) {
  apic_.irr.Add(0x80);
  apic_.base &= ~ApicBase::kEnable;
  EXPECT_EQ(Deliverable(apic_), -1);
}

TEST(VectorSet, KnowsItsHighestInEveryWord) {
  VectorSet set{};
  EXPECT_EQ(set.Highest(), -1);
  for (int vector = 0; vector < 256; ++vector) {
    set.Add(static_cast<uint8_t>(vector));
    EXPECT_EQ(set.Highest(), vector);
  }
  for (int vector = 255; vector > 0; --vector) {
    set.Remove(static_cast<uint8_t>(vector));
    EXPECT_FALSE(set.Has(static_cast<uint8_t>(vector)));
    EXPECT_EQ(set.Highest(), vector - 1);
  }
}

}  // namespace
}  // namespace hv::vcpu
