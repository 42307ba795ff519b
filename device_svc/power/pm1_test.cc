#include "device_svc/power/pm1.h"

#include <gtest/gtest.h>

namespace hv::power {
namespace {

constexpr uint16_t kPowerButton = 0x100;
constexpr uint8_t kSleepEnable = 0x20, kS5 = 5 << 2;  // in the control register's high byte

class Pm1Test : public ::testing::Test {
 protected:
  Pm1Test() { pm1_.Reset(); }

  uint16_t Status() const { return Word(0); }
  uint16_t Enable() const { return Word(2); }
  uint16_t Control() const {
    return static_cast<uint16_t>(pm1_.ReadControl(0) | pm1_.ReadControl(1) << 8);
  }
  void WriteEnable(uint16_t value) {
    pm1_.WriteEvent(2, static_cast<uint8_t>(value));
    pm1_.WriteEvent(3, static_cast<uint8_t>(value >> 8));
  }

  Pm1State state_{};
  Pm1 pm1_{state_};

 private:
  uint16_t Word(uint16_t offset) const {
    return static_cast<uint16_t>(pm1_.ReadEvent(offset) | pm1_.ReadEvent(offset + 1) << 8);
  }
};

TEST_F(Pm1Test, AfterResetAcpiIsOnAndNothingHasHappened) {
  EXPECT_EQ(Status(), 0);
  EXPECT_EQ(Enable(), 0);
  EXPECT_EQ(Control(), 0x0001);  // SCI_EN
  EXPECT_FALSE(pm1_.sci());
}

TEST_F(Pm1Test, TheButtonRaisesTheInterruptOnceItIsEnabled) {
  pm1_.PressPowerButton();
  EXPECT_EQ(Status(), kPowerButton);
  EXPECT_FALSE(pm1_.sci());
  WriteEnable(kPowerButton);
  EXPECT_TRUE(pm1_.sci());
  WriteEnable(0);
  EXPECT_FALSE(pm1_.sci());
}

TEST_F(Pm1Test, AOneClearsAStatusBitAndAZeroLeavesIt) {
  WriteEnable(kPowerButton);
  pm1_.PressPowerButton();
  pm1_.WriteEvent(0, 0xff);
  pm1_.WriteEvent(1, 0xfe);
  EXPECT_TRUE(pm1_.sci());
  pm1_.WriteEvent(1, 0x01);
  EXPECT_FALSE(pm1_.sci());
  EXPECT_EQ(Status(), 0);
}

TEST_F(Pm1Test, PressingAgainIsANewEvent) {
  WriteEnable(kPowerButton);
  pm1_.PressPowerButton();
  pm1_.WriteEvent(1, 0x01);
  pm1_.PressPowerButton();
  EXPECT_TRUE(pm1_.sci());
}

TEST_F(Pm1Test, OnlyEnableBitsThatExistAreKept) {
  WriteEnable(0xffff);
  EXPECT_EQ(Enable(), 0x0721);  // timer, global lock, power button, sleep button, RTC
}

TEST_F(Pm1Test, BytesOfTheEnableRegisterAreIndependent) {
  WriteEnable(0x0121);
  pm1_.WriteEvent(2, 0x00);
  EXPECT_EQ(Enable(), 0x0100);
}

TEST_F(Pm1Test, SleepTypeIsKeptAndWriteOnlyBitsReadAsZero) {
  EXPECT_FALSE(pm1_.WriteControl(0, 0x06));  // BM_RLD, GBL_RLS
  EXPECT_FALSE(pm1_.WriteControl(1, 0xdf));  // reserved bits and SLP_TYP, but not SLP_EN
  EXPECT_EQ(Control(), 0x1c03);
}

TEST_F(Pm1Test, AcpiCannotBeTurnedOff) {
  EXPECT_FALSE(pm1_.WriteControl(0, 0x00));
  EXPECT_EQ(Control(), 0x0001);
}

TEST_F(Pm1Test, S5PowersOff) {
  EXPECT_FALSE(pm1_.WriteControl(1, kS5));
  EXPECT_TRUE(pm1_.WriteControl(1, kS5 | kSleepEnable));
  EXPECT_EQ(pm1_.ReadControl(1), kS5);
}

TEST_F(Pm1Test, OtherSleepTypesDoNothing) {
  for (uint8_t type = 0; type < 8; ++type) {
    EXPECT_EQ(pm1_.WriteControl(1, static_cast<uint8_t>(type << 2 | kSleepEnable)), type == 5)
        << int{type};
  }
}

// The type written before counts for nothing: it is the write with SLP_EN that says where to go.
TEST_F(Pm1Test, SleepTypeAndEnableComeInOneByte) {
  EXPECT_FALSE(pm1_.WriteControl(1, kS5));
  EXPECT_FALSE(pm1_.WriteControl(1, kSleepEnable));
  EXPECT_FALSE(pm1_.WriteControl(0, 0xff));
}

}  // namespace
}  // namespace hv::power
