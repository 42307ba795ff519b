#include "boot/pvh.h"

#include <gtest/gtest.h>

#include "boot/test_images.h"

namespace hv::boot {
namespace {

// Offsets of hvm_start_info.
constexpr uint64_t kVersion = 4, kFlags = 8, kModuleCount = 12, kModules = 16, kCommandLine = 24,
                   kRsdp = 32, kMap = 40, kMapEntries = 48;

class PvhTest : public ::testing::Test {
 protected:
  // The start info's address.
  uint64_t Prepare(const PvhBoot& boot) {
    const auto state = PreparePvh(boot, ram_.memory());
    EXPECT_TRUE(state.ok()) << state.status();
    EXPECT_EQ(state->rip, boot.entry);
    return state->gpr[HV_RBX];
  }
  TestRam ram_;
};

TEST_F(PvhTest, StartInfo) {
  const uint64_t info =
      Prepare({.entry = 0x200000, .kernel_end = 0x300000, .command_line = "a b", .rsdp = 0xe0000});
  EXPECT_EQ(ram_.At<uint32_t>(info), 0x336ec578u);
  EXPECT_EQ(ram_.At<uint32_t>(info + kVersion), 1u);
  EXPECT_EQ(ram_.At<uint32_t>(info + kFlags), 0u);
  EXPECT_EQ(ram_.At<uint32_t>(info + kModuleCount), 0u);
  EXPECT_EQ(ram_.At<uint64_t>(info + kModules), 0u);
  EXPECT_EQ(ram_.String(ram_.At<uint64_t>(info + kCommandLine)), "a b");
  EXPECT_EQ(ram_.At<uint64_t>(info + kRsdp), 0xe0000u);
}

TEST_F(PvhTest, InitrdIsTheOnlyModule) {
  const FileBytes initrd = ToBytes("initrd");
  const uint64_t info = Prepare({.entry = 0x200000, .kernel_end = 0x300000, .initrd = initrd});
  EXPECT_EQ(ram_.At<uint32_t>(info + kModuleCount), 1u);
  const auto module = ram_.At<uint64_t>(info + kModules);
  EXPECT_EQ(ram_.At<uint64_t>(module), 0x7ff000u);
  EXPECT_EQ(ram_.At<uint64_t>(module + 8), initrd.size());
  EXPECT_EQ(ram_.At<uint64_t>(module + 16), 0u);  // no command line
  EXPECT_EQ(ram_.String(0x7ff000, 6), "initrd");
}

TEST_F(PvhTest, MemoryMap) {
  const uint64_t info = Prepare({.entry = 0x200000, .kernel_end = 0x300000});
  ASSERT_EQ(ram_.At<uint32_t>(info + kMapEntries), 3u);
  const auto map = ram_.At<uint64_t>(info + kMap);
  const uint64_t expected[3][3] = {{0, 0x9fc00, 1}, {0x9fc00, 0x60400, 2}, {0x100000, 0x700000, 1}};
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(ram_.At<uint64_t>(map + i * 24), expected[i][0]);
    EXPECT_EQ(ram_.At<uint64_t>(map + i * 24 + 8), expected[i][1]);
    EXPECT_EQ(ram_.At<uint32_t>(map + i * 24 + 16), expected[i][2]);
  }
}

TEST_F(PvhTest, WhatDoesNotFitIsRefused) {
  const FileBytes initrd(8 << 20);
  const auto large =
      PreparePvh({.entry = 0x200000, .kernel_end = 0x300000, .initrd = initrd}, ram_.memory());
  ASSERT_FALSE(large.ok());
  EXPECT_NE(large.status().message().find("initrd: 8388608 bytes, but only 5242880"),
            absl::string_view::npos);
  const auto wordy = PreparePvh(
      {.entry = 0x200000, .kernel_end = 0x300000, .command_line = std::string(1 << 20, 'c')},
      ram_.memory());
  ASSERT_FALSE(wordy.ok());
  EXPECT_NE(wordy.status().message().find("command line: 1048577 bytes"), absl::string_view::npos);
}

}  // namespace
}  // namespace hv::boot
