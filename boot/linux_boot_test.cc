#include "boot/linux_boot.h"

#include <gtest/gtest.h>

#include "boot/test_images.h"

namespace hv::boot {
namespace {

constexpr uint64_t kParams = 0x7000;
constexpr uint64_t kPage = 4096;

struct [[gnu::packed]] E820Entry {
  uint64_t start, bytes;
  uint32_t type;
  bool operator==(const E820Entry&) const = default;
};

class LinuxBootTest : public ::testing::Test {
 protected:
  absl::StatusOr<hv_vcpu_state> Prepare(const LinuxBoot& boot) {
    return PrepareLinux64(boot, ram_.memory());
  }
  template <typename T>
  T Param(uint64_t offset) const {
    return ram_.At<T>(kParams + offset);
  }
  BzImage Image() {
    file_ = MakeBzImage(ToBytes("payload"));
    return *ParseBzImage(file_);
  }

  TestRam ram_;
  FileBytes file_;
};

TEST_F(LinuxBootTest, BootParamsOfABareKernel) {
  ASSERT_TRUE(Prepare({.entry = 0x200000,
                       .kernel_end = 0x300000,
                       .command_line = "console=ttyS0 quiet",
                       .rsdp = 0xe0000})
                  .ok());
  EXPECT_EQ(Param<uint32_t>(0x202), 0x53726448u);
  EXPECT_EQ(Param<uint16_t>(0x206), 0x20f);
  EXPECT_EQ(Param<uint8_t>(0x210), 0xff);   // loader without a number
  EXPECT_EQ(Param<uint8_t>(0x211) & 1, 1);  // loaded high
  EXPECT_EQ(Param<uint64_t>(0x070), 0xe0000u);
  EXPECT_EQ(ram_.String(Param<uint32_t>(0x228)), "console=ttyS0 quiet");
  EXPECT_EQ(Param<uint32_t>(0x218), 0u);
  EXPECT_EQ(Param<uint32_t>(0x21c), 0u);
  EXPECT_EQ(Param<uint8_t>(0x000), 0);  // screen_info: no display
}

TEST_F(LinuxBootTest, SetupHeaderOfABzImageIsKept) {
  BzImage image = Image();
  image.header[0x260 - kSetupHeaderAt] = std::byte{0x77};  // init_size, which is the kernel's
  ASSERT_TRUE(Prepare({.image = &image, .entry = 0x200000, .kernel_end = 0x300000}).ok());
  EXPECT_EQ(Param<uint8_t>(0x260), 0x77);
  EXPECT_EQ(Param<uint32_t>(0x22c), 0x7fffffffu);
  EXPECT_EQ(Param<uint8_t>(0x210), 0xff);
}

TEST_F(LinuxBootTest, MemoryMap) {
  ASSERT_TRUE(Prepare({.entry = 0x200000, .kernel_end = 0x300000}).ok());
  ASSERT_EQ(Param<uint8_t>(0x1e8), 3);
  EXPECT_EQ((Param<E820Entry>(0x2d0)), (E820Entry{0, 0x9fc00, 1}));
  EXPECT_EQ((Param<E820Entry>(0x2d0 + 20)), (E820Entry{0x9fc00, 0x60400, 2}));
  EXPECT_EQ((Param<E820Entry>(0x2d0 + 40)), (E820Entry{0x100000, 0x700000, 1}));
}

TEST_F(LinuxBootTest, InitrdLiesHighAndPageAligned) {
  const FileBytes initrd = ToBytes(std::string(5000, 'i'));
  ASSERT_TRUE(Prepare({.entry = 0x200000, .kernel_end = 0x300000, .initrd = initrd}).ok());
  EXPECT_EQ(Param<uint32_t>(0x218), (8u << 20) - 2 * kPage);
  EXPECT_EQ(Param<uint32_t>(0x21c), 5000u);
  EXPECT_EQ(ram_.String(Param<uint32_t>(0x218), 5000), std::string(5000, 'i'));
}

TEST_F(LinuxBootTest, InitrdStaysWithinTheKernelsReach) {
  BzImage image = Image();
  image.initrd_address_max = 0x4fffff;
  const FileBytes initrd = ToBytes("initrd");
  ASSERT_TRUE(
      Prepare({.image = &image, .entry = 0x200000, .kernel_end = 0x300000, .initrd = initrd}).ok());
  EXPECT_EQ(Param<uint32_t>(0x218), 0x4ff000u);
}

TEST_F(LinuxBootTest, CommandLineAsLongAsTheKernelTakes) {
  BzImage image = Image();
  image.command_line_max = 100;
  LinuxBoot boot{.image = &image, .entry = 0x200000, .kernel_end = 0x300000};
  boot.command_line = std::string(100, 'c');
  ASSERT_TRUE(Prepare(boot).ok());
  EXPECT_EQ(ram_.String(Param<uint32_t>(0x228)), boot.command_line);
  boot.command_line += 'c';
  const auto refused = Prepare(boot);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().message(),
            "command line: 101 bytes, this kernel takes 100; shorten it");
}

TEST_F(LinuxBootTest, CommandLineBeyondTheLoadersRoomIsRefused) {
  BzImage image = Image();
  image.command_line_max = 0xffffffff;
  const auto refused = Prepare({.image = &image,
                                .entry = 0x200000,
                                .kernel_end = 0x300000,
                                .command_line = std::string(1 << 20, 'c')});
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.status().message().find("command line: 1048577 bytes"),
            absl::string_view::npos);
}

TEST_F(LinuxBootTest, EntersIn64BitModeWithBootParamsInRsi) {
  const auto state = Prepare({.entry = 0x200000, .kernel_end = 0x300000});
  ASSERT_TRUE(state.ok());
  EXPECT_EQ(state->rip, 0x200000u);
  EXPECT_EQ(state->gpr[HV_RSI], kParams);
  EXPECT_EQ(state->cr0 & 0x80000001, 0x80000001u);
}

}  // namespace
}  // namespace hv::boot
