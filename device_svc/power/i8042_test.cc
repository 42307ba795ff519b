#include "device_svc/power/i8042.h"

#include <gtest/gtest.h>

#include <optional>

namespace hv::power {
namespace {

constexpr uint8_t kOutputFull = 0x01, kInputFull = 0x02, kSystemFlag = 0x04, kCommandLast = 0x08,
                  kTimeOut = 0x40;

class I8042Test : public ::testing::Test {
 protected:
  I8042Test() { i8042_.Reset(); }

  // What a command answers, as drivers take it: once the status says that there is something.
  std::optional<uint8_t> Ask(uint8_t command) {
    EXPECT_FALSE(i8042_.WriteCommand(command));
    EXPECT_EQ(i8042_.ReadStatus() & kInputFull, 0);
    if ((i8042_.ReadStatus() & kOutputFull) == 0) return std::nullopt;
    const uint8_t answer = i8042_.ReadData();
    EXPECT_EQ(i8042_.ReadStatus() & kOutputFull, 0);
    return answer;
  }
  bool Has(uint8_t flag) const { return (i8042_.ReadStatus() & flag) != 0; }

  I8042State state_{};
  I8042 i8042_{state_};
};

// What guests wait for before they pull the reset line, and what drivers flush before they probe.
TEST_F(I8042Test, BothBuffersAreEmptyAfterReset) {
  EXPECT_EQ(i8042_.ReadStatus(), 0x14);  // tested, not inhibited
}

TEST_F(I8042Test, PulsingTheResetLineResets) {
  EXPECT_TRUE(i8042_.WriteCommand(0xfe));
  for (int command = 0xf0; command <= 0xff; ++command) {
    EXPECT_EQ(i8042_.WriteCommand(static_cast<uint8_t>(command)), command % 2 == 0) << command;
  }
}

TEST_F(I8042Test, LoweringTheResetLineResets) {
  EXPECT_FALSE(i8042_.WriteCommand(0xd1));
  EXPECT_FALSE(i8042_.WriteData(0x03));
  EXPECT_FALSE(i8042_.WriteCommand(0xd1));
  EXPECT_TRUE(i8042_.WriteData(0xfe));
}

TEST_F(I8042Test, SelfTestPasses) { EXPECT_EQ(Ask(0xaa), 0x55); }

TEST_F(I8042Test, ThereIsAPortForAKeyboardAndNoSecond) {
  EXPECT_EQ(Ask(0xab), 0x00);
  EXPECT_EQ(Ask(0xa9), 0x01);
  EXPECT_EQ(Ask(0xa8), std::nullopt);
  EXPECT_EQ(*Ask(0x20) & 0x20, 0x20);  // its clock stays off
}

TEST_F(I8042Test, CommandByteIsKept) {
  EXPECT_EQ(Ask(0x20), 0x24);
  EXPECT_EQ(Ask(0x60), std::nullopt);
  EXPECT_FALSE(i8042_.WriteData(0x41));
  EXPECT_EQ(Ask(0x20), 0x61);  // there is no second port to turn on
  EXPECT_FALSE(Has(kSystemFlag));
  Ask(0xaa);
  EXPECT_TRUE(Has(kSystemFlag));
}

TEST_F(I8042Test, ACommandTakesOneByteOfData) {
  EXPECT_FALSE(i8042_.WriteCommand(0x60));
  EXPECT_FALSE(i8042_.WriteData(0x61));
  EXPECT_FALSE(i8042_.WriteData(0x00));  // for the keyboard
  EXPECT_EQ(Ask(0x20), 0x61);
}

TEST_F(I8042Test, KeyboardIsTurnedOffAndOn) {
  EXPECT_EQ(Ask(0xad), std::nullopt);
  EXPECT_EQ(Ask(0x20), 0x34);
  EXPECT_EQ(Ask(0xae), std::nullopt);
  EXPECT_EQ(Ask(0x20), 0x24);
}

TEST_F(I8042Test, PortsRead) {
  EXPECT_EQ(Ask(0xc0), 0x80);
  EXPECT_EQ(Ask(0xd0), 0x03);  // no reset, A20 on
}

TEST_F(I8042Test, AKeyboardThatIsNotThereTimesOut) {
  EXPECT_FALSE(i8042_.WriteData(0xff));
  EXPECT_TRUE(Has(kOutputFull));
  EXPECT_TRUE(Has(kTimeOut));
  EXPECT_EQ(i8042_.ReadData(), 0xfe);
  EXPECT_FALSE(Has(kTimeOut));
}

TEST_F(I8042Test, StatusTellsCommandsFromData) {
  EXPECT_FALSE(i8042_.WriteCommand(0x60));
  EXPECT_TRUE(Has(kCommandLast));
  EXPECT_FALSE(i8042_.WriteData(0x24));
  EXPECT_FALSE(Has(kCommandLast));
  Ask(0xaa);
  EXPECT_TRUE(Has(kCommandLast));
}

TEST_F(I8042Test, ACommandEndsTheWaitForAnothersData) {
  EXPECT_FALSE(i8042_.WriteCommand(0xd1));
  EXPECT_EQ(Ask(0xaa), 0x55);
  EXPECT_FALSE(i8042_.WriteData(0xfe));
}

TEST_F(I8042Test, TheLastByteCanBeReadAgain) {
  EXPECT_EQ(Ask(0xaa), 0x55);
  EXPECT_EQ(i8042_.ReadData(), 0x55);
}

}  // namespace
}  // namespace hv::power
