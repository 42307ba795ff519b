// Who comes first, and what ends: priority, the end of an interrupt, rotation and the special modes
// (8259A datasheet, operation command words).
#include "ioapic_svc/test_i8259.h"

namespace hv::ioapic {
namespace {

using I8259PriorityTest = I8259Test;

TEST_F(I8259PriorityTest, InputZeroComesFirstAndHigherOnesNest) {
  Pulse(4);
  Pulse(6);
  EXPECT_EQ(Take(), 4);
  EXPECT_EQ(Take(), -1) << "6 waits for 4";
  Pulse(1);
  EXPECT_EQ(Take(), 1) << "1 interrupts 4";
  EXPECT_EQ(Isr(), 0x12);
}

TEST_F(I8259PriorityTest, NonSpecificEoiEndsTheHighestInService) {
  Pulse(4);
  Take();
  Pulse(1);
  Take();
  chip_.WriteCommand(0x20);
  EXPECT_EQ(Isr(), 0x10);
  chip_.WriteCommand(0x20);
  EXPECT_EQ(Isr(), 0);
  chip_.WriteCommand(0x20);
  EXPECT_EQ(Isr(), 0) << "nothing to end";
}

TEST_F(I8259PriorityTest, SpecificEoiEndsWhatItNames) {
  Pulse(4);
  Take();
  Pulse(1);
  Take();
  chip_.WriteCommand(0x64);
  EXPECT_EQ(Isr(), 0x02);
}

TEST_F(I8259PriorityTest, SetPriorityNamesTheLowest) {
  chip_.WriteCommand(0xc4);
  Pulse(0);
  Pulse(4);
  Pulse(5);
  EXPECT_EQ(Take(), 5);
  chip_.WriteCommand(0x20);
  EXPECT_EQ(Take(), 0);
  chip_.WriteCommand(0x20);
  EXPECT_EQ(Take(), 4);
}

TEST_F(I8259PriorityTest, RotateOnNonSpecificEoiPutsTheServedLast) {
  Pulse(3);
  Take();
  chip_.WriteCommand(0xa0);
  Pulse(3);
  Pulse(7);
  EXPECT_EQ(Isr(), 0);
  EXPECT_EQ(Take(), 7);
}

TEST_F(I8259PriorityTest, RotateOnSpecificEoiPutsTheNamedLast) {
  Pulse(3);
  Take();
  chip_.WriteCommand(0xe3);
  EXPECT_EQ(Isr(), 0);
  Pulse(3);
  Pulse(4);
  EXPECT_EQ(Take(), 4);
}

TEST_F(I8259PriorityTest, TheNoOperationChangesNothing) {
  Pulse(3);
  Take();
  chip_.WriteCommand(0x40);
  EXPECT_EQ(Isr(), 0x08);
  EXPECT_EQ(state_.priority, 0);
}

TEST_F(I8259PriorityTest, AutomaticEoiLeavesNothingInService) {
  Initialize(0x03);
  Pulse(3);
  EXPECT_EQ(Take(), 3);
  EXPECT_EQ(Isr(), 0);
  Pulse(5);
  EXPECT_EQ(Take(), 5) << "a lower one need not wait";
}

TEST_F(I8259PriorityTest, AutomaticEoiMayRotate) {
  Initialize(0x03);
  chip_.WriteCommand(0x80);
  Pulse(3);
  Take();
  Pulse(3);
  Pulse(6);
  EXPECT_EQ(Take(), 6);
  chip_.WriteCommand(0x00);
  Take();
  EXPECT_EQ(state_.priority, 7) << "rotation is off: still as after 6";
}

TEST_F(I8259PriorityTest, SpecialMaskModeLetsLowerInputsPastAMaskedOneInService) {
  Pulse(3);
  Take();
  Pulse(6);
  chip_.WriteData(0x08);
  EXPECT_EQ(chip_.Pending(), -1);
  chip_.WriteCommand(0x68);
  EXPECT_EQ(chip_.Pending(), 6);
  chip_.WriteCommand(0x48);
  EXPECT_EQ(chip_.Pending(), -1);
}

TEST_F(I8259PriorityTest, SpecialMaskModeIsKeptByCommandsWithoutItsEnable) {
  chip_.WriteCommand(0x68);
  chip_.WriteCommand(0x0b);
  EXPECT_EQ(state_.special_mask, 1);
}

TEST_F(I8259PriorityTest, InSpecialMaskModeNonSpecificEoiPassesOverMaskedInputs) {
  Pulse(3);
  Take();
  chip_.WriteData(0x08);
  chip_.WriteCommand(0x68);
  Pulse(6);
  Take();
  chip_.WriteCommand(0x20);
  EXPECT_EQ(Isr(), 0x08);
}

TEST_F(I8259PriorityTest, SpecialFullyNestedModeLetsTheCascadeInterruptItself) {
  chip_.SetLine(I8259::kCascade, true);
  Take();
  EXPECT_EQ(chip_.Pending(), -1);
  chip_.SetLine(I8259::kCascade, false);
  Initialize(0x11);
  chip_.SetLine(I8259::kCascade, true);
  Take();
  EXPECT_EQ(chip_.Pending(), I8259::kCascade);
}

}  // namespace
}  // namespace hv::ioapic
