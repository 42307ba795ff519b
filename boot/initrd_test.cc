#include "boot/initrd.h"

#include <gtest/gtest.h>

#include "boot/test_images.h"

namespace hv::boot {
namespace {

constexpr uint64_t kBytes = 4 << 20;

TEST(InitrdTest, TakesAllThatIsFreeAndNotAByteMore) {
  TestRam ram(kBytes);
  FileBytes initrd(kBytes - 0x201000, std::byte{'i'});
  const auto at = PlaceInitrd(initrd, 0x200001, UINT32_MAX, ram.memory());
  ASSERT_TRUE(at.ok()) << at.status();
  EXPECT_EQ(*at, 0x201000u);
  EXPECT_EQ(ram.String(kBytes - 1, 1), "i");
  initrd.push_back(std::byte{'i'});
  const auto refused = PlaceInitrd(initrd, 0x200001, UINT32_MAX, ram.memory());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().message(),
            "initrd: 2093057 bytes, but only 2093056 are free above the kernel; give the machine "
            "more --memory");
}

TEST(InitrdTest, AKernelThatReachesNothingBeyondItself) {
  TestRam ram(kBytes);
  const FileBytes initrd = ToBytes("initrd");
  EXPECT_FALSE(PlaceInitrd(initrd, 0x200000, 0x1fffff, ram.memory()).ok());
  EXPECT_FALSE(PlaceInitrd(initrd, 0x200000, 0, ram.memory()).ok());
  EXPECT_FALSE(PlaceInitrd(initrd, UINT64_MAX - 5000, UINT64_MAX, ram.memory()).ok());
}

}  // namespace
}  // namespace hv::boot
