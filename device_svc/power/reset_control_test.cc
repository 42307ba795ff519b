#include "device_svc/power/reset_control.h"

#include <gtest/gtest.h>

namespace hv::power {
namespace {

TEST(ResetControlTest, ARiseOfTheCpuResetBitResets) {
  for (const uint8_t value : {0x04, 0x06, 0x0e}) {
    uint8_t state = 0;
    EXPECT_TRUE(ResetControl(state).Write(value)) << int{value};
  }
}

TEST(ResetControlTest, OtherBitsOnlySayWhatKindOfReset) {
  uint8_t state = 0;
  ResetControl control(state);
  EXPECT_FALSE(control.Write(0xfb));
  EXPECT_EQ(control.Read(), 0x0a);
}

// Linux reads the register, writes it with SYS_RST, and then with both.
TEST(ResetControlTest, LinuxsSequence) {
  uint8_t state = 0;
  ResetControl control(state);
  const uint8_t others = control.Read() & static_cast<uint8_t>(~0x06);
  EXPECT_FALSE(control.Write(others | 0x02));
  EXPECT_TRUE(control.Write(others | 0x06));
}

TEST(ResetControlTest, ABitThatStandsDoesNotRise) {
  uint8_t state = 0x04;
  ResetControl control(state);
  EXPECT_FALSE(control.Write(0x06));
  EXPECT_FALSE(control.Write(0x02));
  EXPECT_TRUE(control.Write(0x06));
}

}  // namespace
}  // namespace hv::power
