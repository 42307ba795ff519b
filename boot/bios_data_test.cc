#include "boot/bios_data.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace hv::boot {
namespace {

class BiosDataTest : public testing::Test {
 protected:
  template <typename T>
  T At(uint64_t address) const {
    T value;
    std::memcpy(&value, ram_.data() + address, sizeof(T));
    return value;
  }

  std::vector<std::byte> ram_ = std::vector<std::byte>(4 << 20);
};

TEST_F(BiosDataTest, SaysWhatAPcOfThisKindSays) {
  WriteBiosData(GuestMemory(ram_));
  EXPECT_EQ(At<uint16_t>(0x400), 0x3f8);         // COM1
  EXPECT_EQ(At<uint16_t>(0x402), 0);             // no COM2
  EXPECT_EQ(At<uint16_t>(0x410) >> 9 & 7, 1);    // one serial port
  EXPECT_EQ(At<uint16_t>(0x413), 639);           // KiB of base memory
  EXPECT_EQ(At<uint16_t>(0x40e) << 4, 0x9fc00);  // behind it the extended area
  EXPECT_EQ(At<uint8_t>(0x9fc00), 1);            // of 1 KiB
}

}  // namespace
}  // namespace hv::boot
