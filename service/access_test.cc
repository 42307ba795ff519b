#include "service/access.h"

#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace hv::service {
namespace {

hv_access Access(uint8_t space, uint64_t address, uint8_t width, uint64_t data = 0) {
  return {.address = address, .data = data, .width = width, .space = space};
}

TEST(AccessTest, PortsAreAccessedInOneTwoOrFourBytes) {
  for (int width = 0; width <= UINT8_MAX; ++width) {
    EXPECT_EQ(IsPortAccess(Access(HV_SPACE_PORT, 0x20, static_cast<uint8_t>(width))),
              width == 1 || width == 2 || width == 4)
        << width;
  }
}

TEST(AccessTest, ThereAre64KiPorts) {
  EXPECT_TRUE(IsPortAccess(Access(HV_SPACE_PORT, 0xffff, 4)));
  EXPECT_FALSE(IsPortAccess(Access(HV_SPACE_PORT, 0x10000, 1)));
  EXPECT_FALSE(IsPortAccess(Access(HV_SPACE_MMIO, 0x20, 1)));
}

TEST(AccessTest, RegistersInMemoryAreAccessedInUpToEightBytes) {
  for (int width = 0; width <= UINT8_MAX; ++width) {
    EXPECT_EQ(IsMmioAccess(Access(HV_SPACE_MMIO, 0x1000, static_cast<uint8_t>(width)), 0x1000, 16),
              width == 1 || width == 2 || width == 4 || width == 8)
        << width;
  }
}

TEST(AccessTest, AnAccessBeginsInsideTheRange) {
  EXPECT_TRUE(IsMmioAccess(Access(HV_SPACE_MMIO, 0x100f, 4), 0x1000, 16));
  EXPECT_FALSE(IsMmioAccess(Access(HV_SPACE_MMIO, 0x1010, 1), 0x1000, 16));
  EXPECT_FALSE(IsMmioAccess(Access(HV_SPACE_MMIO, 0xfff, 4), 0x1000, 16));
  EXPECT_FALSE(IsMmioAccess(Access(HV_SPACE_PORT, 0x1000, 4), 0x1000, 16));
}

TEST(AccessTest, AWideReadIsBytesLowestFirst) {
  const auto low_byte = [](uint64_t address) { return static_cast<uint8_t>(address); };
  EXPECT_EQ(ReadBytes(Access(HV_SPACE_PORT, 0x120, 1), low_byte), 0x20u);
  EXPECT_EQ(ReadBytes(Access(HV_SPACE_PORT, 0x120, 4), low_byte), 0x23222120u);
  EXPECT_EQ(ReadBytes(Access(HV_SPACE_PORT, 0x120, 0), low_byte), 0u);
}

TEST(AccessTest, AWideWriteIsBytesLowestFirst) {
  std::vector<std::pair<uint64_t, int>> written;
  WriteBytes(Access(HV_SPACE_PORT, 0x120, 2, 0x5aa5),
             [&](uint64_t address, uint8_t byte) { written.emplace_back(address, byte); });
  EXPECT_EQ(written, (std::vector<std::pair<uint64_t, int>>{{0x120, 0xa5}, {0x121, 0x5a}}));
}

TEST(AccessTest, NoWidthIsMoreThanEightBytes) {
  const hv_access access = Access(HV_SPACE_PORT, 0, UINT8_MAX);
  EXPECT_EQ(ReadBytes(access, [](uint64_t) { return uint8_t{0xff}; }), UINT64_MAX);
  int bytes = 0;
  WriteBytes(access, [&](uint64_t, uint8_t) { ++bytes; });
  EXPECT_EQ(bytes, 8);
}

}  // namespace
}  // namespace hv::service
