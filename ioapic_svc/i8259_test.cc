#include "ioapic_svc/i8259.h"

#include "ioapic_svc/test_i8259.h"

namespace hv::ioapic {
namespace {

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
