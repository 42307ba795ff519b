#include "boot/boot_data.h"

#include <gtest/gtest.h>

#include "boot/test_images.h"

namespace hv::boot {
namespace {

constexpr uint64_t kBytes = 4 << 20;

TEST(BootDataTest, PlacesOneAfterTheOther) {
  TestRam ram(kBytes);
  const GuestMemory memory = ram.memory();
  BootData data(memory);
  const auto first = data.PlaceString("first", "text");
  const auto second = data.PlaceArray<uint32_t>({1, 2, 3}, "numbers");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(*first, kBootDataAt);
  EXPECT_EQ(*second, kBootDataAt + 8);
  EXPECT_EQ(ram.String(*first), "first");
  EXPECT_EQ(ram.At<uint32_t>(*second + 8), 3u);
}

TEST(BootDataTest, EndsWhereItsRoomEnds) {
  TestRam ram(kBytes);
  const GuestMemory memory = ram.memory();
  BootData data(memory);
  const FileBytes all(kBootDataEnd - kBootDataAt);
  EXPECT_TRUE(data.Place(all, "all").ok());
  const auto refused = data.PlaceString("", "one more");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().message(),
            "one more: 1 bytes, but only 0 of 524288 are left for command lines and lists; shorten "
            "them");
}

}  // namespace
}  // namespace hv::boot
