#include "ioapic_svc/i8259.h"

#include "gtest/gtest.h"

namespace hv::ioapic {
namespace {

class I8259Test : public testing::Test {
 protected:
  I8259Test() {
    chip_.Reset();
    Initialize();
  }
  void Initialize(uint8_t icw4 = 0x01) {
    chip_.WriteCommand(0x11);
    chip_.WriteData(0x20);
    chip_.WriteData(0x04);
    chip_.WriteData(icw4);
  }
  void Pulse(uint8_t input) {
    chip_.SetLine(input, true);
    chip_.SetLine(input, false);
  }
  // A CPU that takes what is pending; -1: nothing.
  int Take() {
    const int input = chip_.Pending();
    if (input >= 0) chip_.Acknowledge(static_cast<uint8_t>(input));
    return input;
  }
  uint8_t Isr() {
    chip_.WriteCommand(0x0b);
    return chip_.ReadCommand();
  }
  uint8_t Irr() {
    chip_.WriteCommand(0x0a);
    return chip_.ReadCommand();
  }

  I8259State state_{};
  I8259 chip_{state_, I8259::Role::kMaster};
};

TEST_F(I8259Test, PowerOnMasksEverything) {
  chip_.Reset();
  chip_.SetLine(1, true);
  EXPECT_EQ(chip_.ReadData(), 0xff);
  EXPECT_EQ(chip_.Pending(), -1);
}

TEST_F(I8259Test, Icw2GivesTheVectorsUpperBits) {
  chip_.WriteCommand(0x11);
  chip_.WriteData(0x7b);
  EXPECT_EQ(chip_.vector_base(), 0x78);
}

TEST_F(I8259Test, NothingIsPendingUntilTheLastInitializationWord) {
  chip_.WriteCommand(0x11);
  chip_.SetLine(1, true);
  for (uint8_t word : {0x20, 0x04}) {
    EXPECT_EQ(chip_.Pending(), -1);
    chip_.WriteData(word);
  }
  EXPECT_EQ(chip_.Pending(), -1);
  chip_.WriteData(0x01);
  EXPECT_EQ(chip_.Pending(), 1);
}

TEST_F(I8259Test, InitializationWithoutIcw4EndsWithIcw3) {
  chip_.WriteCommand(0x10);
  chip_.WriteData(0x20);
  chip_.WriteData(0x04);
  chip_.WriteData(0xa5);
  EXPECT_EQ(chip_.ReadData(), 0xa5) << "OCW1 again";
}

TEST_F(I8259Test, ASingleChipIsGivenNoIcw3) {
  chip_.WriteCommand(0x12);
  chip_.WriteData(0x20);
  chip_.WriteData(0xa5);
  EXPECT_EQ(chip_.ReadData(), 0xa5);
  chip_.WriteCommand(0x13);
  chip_.WriteData(0x20);
  chip_.WriteData(0x01);
  chip_.WriteData(0x5a);
  EXPECT_EQ(chip_.ReadData(), 0x5a);
}

TEST_F(I8259Test, InitializationClearsMaskServiceEdgesAndModes) {
  chip_.WriteCommand(0x68);  // special mask
  chip_.WriteCommand(0xc3);  // priority
  chip_.WriteCommand(0x80);  // rotate in automatic EOI
  chip_.WriteCommand(0x0b);  // read ISR
  Pulse(1);
  Take();
  Pulse(5);
  chip_.WriteData(0x42);
  Initialize();
  EXPECT_EQ(chip_.ReadData(), 0);
  EXPECT_EQ(chip_.ReadCommand(), 0) << "IRR is read, and the edge is forgotten";
  EXPECT_EQ(Isr(), 0);
  EXPECT_EQ(state_.special_mask | state_.priority | state_.rotate_on_auto_eoi, 0);
}

TEST_F(I8259Test, AnEdgeLineThatIsStillUpMustRiseAnewAfterInitialization) {
  chip_.SetLine(1, true);
  Initialize();
  chip_.SetLine(1, true);
  EXPECT_EQ(chip_.Pending(), -1);
  chip_.SetLine(1, false);
  chip_.SetLine(1, true);
  EXPECT_EQ(chip_.Pending(), 1);
}

TEST_F(I8259Test, ALevelLineThatIsUpRequestsAgainAfterInitialization) {
  chip_.SetElcr(0x20);
  chip_.SetLine(5, true);
  Initialize();
  EXPECT_EQ(chip_.elcr(), 0x20) << "ELCR is outside the chip";
  EXPECT_EQ(chip_.Pending(), 5);
}

TEST_F(I8259Test, AnEdgeIsRememberedAfterTheLineHasFallen) {
  Pulse(0);
  EXPECT_EQ(Take(), 0);
  EXPECT_EQ(Irr(), 0);
}

TEST_F(I8259Test, OneEdgeIsOneInterruptThoughTheLineStaysUp) {
  chip_.SetLine(1, true);
  EXPECT_EQ(Take(), 1);
  chip_.WriteCommand(0x20);
  EXPECT_EQ(Take(), -1);
}

TEST_F(I8259Test, AMaskedEdgeIsPendingWhenUnmasked) {
  chip_.WriteData(0x02);
  Pulse(1);
  EXPECT_EQ(chip_.Pending(), -1);
  EXPECT_EQ(Irr(), 0x02);
  chip_.WriteData(0);
  EXPECT_EQ(chip_.Pending(), 1);
}

TEST_F(I8259Test, ALevelRequestsAgainUntilItFalls) {
  chip_.SetElcr(0x20);
  chip_.SetLine(5, true);
  EXPECT_EQ(Take(), 5);
  EXPECT_EQ(Irr(), 0x20);
  EXPECT_EQ(Take(), -1) << "in service";
  chip_.WriteCommand(0x20);
  EXPECT_EQ(Take(), 5);
  chip_.SetLine(5, false);
  chip_.WriteCommand(0x20);
  EXPECT_EQ(Take(), -1);
}

TEST_F(I8259Test, ElcrBitsOfTimerKeyboardAndCascadeAreFixed) {
  chip_.SetElcr(0xff);
  EXPECT_EQ(chip_.elcr(), 0xf8);
}

TEST_F(I8259Test, ElcrBitsOfRtcAndCoprocessorAreFixedOnTheSlave) {
  I8259 slave(state_, I8259::Role::kSlave);
  slave.SetElcr(0xff);
  EXPECT_EQ(slave.elcr(), 0xde);
}

TEST_F(I8259Test, AnInputMadeLevelRequestsAccordingToItsLine) {
  chip_.SetLine(5, true);
  EXPECT_EQ(Take(), 5);
  chip_.WriteCommand(0x20);
  chip_.SetElcr(0x20);
  EXPECT_EQ(chip_.Pending(), 5);
}

TEST_F(I8259Test, InputZeroComesFirstAndHigherOnesNest) {
  Pulse(4);
  Pulse(6);
  EXPECT_EQ(Take(), 4);
  EXPECT_EQ(Take(), -1) << "6 waits for 4";
  Pulse(1);
  EXPECT_EQ(Take(), 1) << "1 interrupts 4";
  EXPECT_EQ(Isr(), 0x12);
}

TEST_F(I8259Test, NonSpecificEoiEndsTheHighestInService) {
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

TEST_F(I8259Test, SpecificEoiEndsWhatItNames) {
  Pulse(4);
  Take();
  Pulse(1);
  Take();
  chip_.WriteCommand(0x64);
  EXPECT_EQ(Isr(), 0x02);
}

TEST_F(I8259Test, SetPriorityNamesTheLowest) {
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

TEST_F(I8259Test, RotateOnNonSpecificEoiPutsTheServedLast) {
  Pulse(3);
  Take();
  chip_.WriteCommand(0xa0);
  Pulse(3);
  Pulse(7);
  EXPECT_EQ(Isr(), 0);
  EXPECT_EQ(Take(), 7);
}

TEST_F(I8259Test, RotateOnSpecificEoiPutsTheNamedLast) {
  Pulse(3);
  Take();
  chip_.WriteCommand(0xe3);
  EXPECT_EQ(Isr(), 0);
  Pulse(3);
  Pulse(4);
  EXPECT_EQ(Take(), 4);
}

TEST_F(I8259Test, TheNoOperationChangesNothing) {
  Pulse(3);
  Take();
  chip_.WriteCommand(0x40);
  EXPECT_EQ(Isr(), 0x08);
  EXPECT_EQ(state_.priority, 0);
}

TEST_F(I8259Test, AutomaticEoiLeavesNothingInService) {
  Initialize(0x03);
  Pulse(3);
  EXPECT_EQ(Take(), 3);
  EXPECT_EQ(Isr(), 0);
  Pulse(5);
  EXPECT_EQ(Take(), 5) << "a lower one need not wait";
}

TEST_F(I8259Test, AutomaticEoiMayRotate) {
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

TEST_F(I8259Test, SpecialMaskModeLetsLowerInputsPastAMaskedOneInService) {
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

TEST_F(I8259Test, SpecialMaskModeIsKeptByCommandsWithoutItsEnable) {
  chip_.WriteCommand(0x68);
  chip_.WriteCommand(0x0b);
  EXPECT_EQ(state_.special_mask, 1);
}

TEST_F(I8259Test, InSpecialMaskModeNonSpecificEoiPassesOverMaskedInputs) {
  Pulse(3);
  Take();
  chip_.WriteData(0x08);
  chip_.WriteCommand(0x68);
  Pulse(6);
  Take();
  chip_.WriteCommand(0x20);
  EXPECT_EQ(Isr(), 0x08);
}

TEST_F(I8259Test, SpecialFullyNestedModeLetsTheCascadeInterruptItself) {
  chip_.SetLine(I8259::kCascade, true);
  Take();
  EXPECT_EQ(chip_.Pending(), -1);
  chip_.SetLine(I8259::kCascade, false);
  Initialize(0x11);
  chip_.SetLine(I8259::kCascade, true);
  Take();
  EXPECT_EQ(chip_.Pending(), I8259::kCascade);
}

TEST_F(I8259Test, PollAcknowledgesAndNamesTheInput) {
  Pulse(5);
  chip_.WriteCommand(0x0c);
  EXPECT_EQ(chip_.ReadCommand(), 0x85);
  EXPECT_EQ(Isr(), 0x20);
  EXPECT_EQ(Irr(), 0);
}

TEST_F(I8259Test, PollWithNothingPendingSaysSoOnce) {
  chip_.WriteData(0x5a);
  chip_.WriteCommand(0x0c);
  EXPECT_EQ(chip_.ReadData(), 0) << "a poll is answered at either port";
  EXPECT_EQ(chip_.ReadData(), 0x5a);
}

TEST_F(I8259Test, ASpuriousAcknowledgeEntersNoService) {
  chip_.Acknowledge(I8259::kSpuriousInput);
  EXPECT_EQ(Isr(), 0);
}

TEST_F(I8259Test, ARealInputSevenEntersService) {
  Pulse(7);
  EXPECT_EQ(Take(), 7);
  EXPECT_EQ(Isr(), 0x80);
}

TEST_F(I8259Test, ReadsShowTheRegisterChosenLast) {
  Pulse(1);
  Take();
  Pulse(4);
  EXPECT_EQ(Irr(), 0x10);
  EXPECT_EQ(chip_.ReadCommand(), 0x10);
  EXPECT_EQ(Isr(), 0x02);
  EXPECT_EQ(chip_.ReadCommand(), 0x02);
}

}  // namespace
}  // namespace hv::ioapic
