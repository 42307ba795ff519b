#include "boot/guest_memory.h"

#include <gtest/gtest.h>

#include "boot/test_images.h"

namespace hv::boot {
namespace {

constexpr uint64_t kBytes = 4 << 20;

TEST(GuestMemoryTest, LowIsAllOrNothing) {
  TestRam ram(kBytes);
  const GuestMemory memory = ram.memory();
  EXPECT_EQ(memory.Low(0, kBytes).size(), kBytes);
  EXPECT_EQ(memory.Low(kBytes - 1, 1).size(), 1u);
  EXPECT_TRUE(memory.Low(kBytes - 1, 2).empty());
  EXPECT_TRUE(memory.Low(kBytes + 1, 0).empty());
  EXPECT_TRUE(memory.Low(1, UINT64_MAX).empty());
  EXPECT_TRUE(memory.Low(UINT64_MAX, 2).empty());
}

TEST(GuestMemoryTest, LargeRamIsSplitAroundTheDevices) {
  const GuestMemory memory(std::span(static_cast<std::byte*>(nullptr), HV_LOW_RAM_END + 5));
  EXPECT_EQ(memory.low_bytes(), HV_LOW_RAM_END);
  EXPECT_EQ(memory.high_bytes(), 5u);
}

TEST(GuestMemoryTest, WritesCompletelyOrSaysWhy) {
  TestRam ram(kBytes);
  EXPECT_TRUE(ram.memory().Write(kBytes - 3, ToBytes("abc"), "thing").ok());
  EXPECT_EQ(ram.String(kBytes - 3, 3), "abc");
  const auto refused = ram.memory().Write(kBytes - 2, ToBytes("xyz"), "thing");
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(
      refused.message(),
      "thing: 3 bytes at 0x3ffffe do not fit the machine's memory of 4 MiB; give it more with "
      "--memory");
  EXPECT_EQ(ram.String(kBytes - 3, 3), "abc");
}

}  // namespace
}  // namespace hv::boot
