#include "boot/multiboot.h"

#include <gtest/gtest.h>

#include "boot/test_images.h"

namespace hv::boot {
namespace {

// Offsets of multiboot_info.
constexpr uint64_t kLower = 4, kUpper = 8, kCommandLine = 16, kModuleCount = 20, kModules = 24,
                   kMapBytes = 44, kMap = 48, kLoaderName = 64;

class MultibootTest : public ::testing::Test {
 protected:
  // The information's address.
  uint64_t Prepare(const MultibootBoot& boot) {
    const auto state = PrepareMultiboot(boot, ram_.memory());
    EXPECT_TRUE(state.ok()) << state.status();
    EXPECT_EQ(state->gpr[HV_RAX], 0x2badb002u);
    EXPECT_EQ(state->rip, boot.entry);
    return state->gpr[HV_RBX];
  }
  static MultibootHeader Flat(uint32_t load, uint32_t load_end, uint32_t bss_end) {
    MultibootHeader header;
    header.addresses = {
        .file_offset = 8, .load = load, .load_end = load_end, .bss_end = bss_end, .entry = load};
    return header;
  }
  std::string Refusal(const FileBytes& file, const MultibootHeader& header) {
    const auto loaded = LoadMultiboot(file, header, ram_.memory());
    return loaded.ok() ? "accepted" : std::string(loaded.status().message());
  }
  TestRam ram_;
};

TEST_F(MultibootTest, Information) {
  const uint64_t info =
      Prepare({.entry = 0x100020, .kernel_end = 0x200000, .command_line = "kernel arguments"});
  EXPECT_EQ(ram_.At<uint32_t>(info), 0x24du);  // memory, command line, modules, map, name
  EXPECT_EQ(ram_.At<uint32_t>(info + kLower), 639u);
  EXPECT_EQ(ram_.At<uint32_t>(info + kUpper), 7u << 10);
  EXPECT_EQ(ram_.String(ram_.At<uint32_t>(info + kCommandLine)), "kernel arguments");
  EXPECT_EQ(ram_.String(ram_.At<uint32_t>(info + kLoaderName)), "hv");
  EXPECT_EQ(ram_.At<uint32_t>(info + kModuleCount), 0u);
}

TEST_F(MultibootTest, EntriesOfTheMemoryMapFollowTheirSizes) {
  const uint64_t info = Prepare({.entry = 0x100020, .kernel_end = 0x200000});
  auto at = ram_.At<uint32_t>(info + kMap);
  const uint32_t end = at + ram_.At<uint32_t>(info + kMapBytes);
  uint64_t next_start = 0;
  int entries = 0;
  while (at < end) {
    EXPECT_EQ(ram_.At<uint64_t>(at + 4), next_start);
    next_start += ram_.At<uint64_t>(at + 12);
    EXPECT_EQ(ram_.At<uint32_t>(at + 20), entries == 1 ? 2u : 1u);
    at += ram_.At<uint32_t>(at) + 4;
    ++entries;
  }
  EXPECT_EQ(at, end);
  EXPECT_EQ(entries, 3);
  EXPECT_EQ(next_start, 8u << 20);
}

TEST_F(MultibootTest, ModulesStartAtPagesBehindTheKernel) {
  const FileBytes first = ToBytes(std::string(5000, '1')), second = ToBytes("2");
  const uint64_t info = Prepare({.entry = 0x100020,
                                 .kernel_end = 0x200001,
                                 .modules = {{first, "first text"}, {{}, ""}, {second, "2nd"}}});
  ASSERT_EQ(ram_.At<uint32_t>(info + kModuleCount), 3u);
  const auto list = ram_.At<uint32_t>(info + kModules);
  const auto field = [&](int module, int index) {
    return ram_.At<uint32_t>(list + module * 16 + index * 4);
  };
  EXPECT_EQ(field(0, 0), 0x201000u);
  EXPECT_EQ(field(0, 1), 0x201000u + 5000);
  EXPECT_EQ(ram_.String(field(0, 2)), "first text");
  EXPECT_EQ(field(1, 0), 0x203000u);  // empty
  EXPECT_EQ(field(1, 1), 0x203000u);
  EXPECT_EQ(field(2, 0), 0x203000u);
  EXPECT_EQ(field(2, 1), 0x203001u);
  EXPECT_EQ(ram_.String(field(2, 2)), "2nd");
  EXPECT_EQ(ram_.String(0x201000, 5000), std::string(5000, '1'));
  EXPECT_EQ(ram_.String(0x203000, 1), "2");
}

TEST_F(MultibootTest, ModulesThatDoNotFitAreRefused) {
  const FileBytes small = ToBytes("small"), large(7 << 20);
  const auto refused = PrepareMultiboot(
      {.entry = 0x100020, .kernel_end = 0x200000, .modules = {{small, ""}, {large, ""}}},
      ram_.memory());
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.status().message().find("module 2 of 2: 7340032 bytes at 0x201000"),
            absl::string_view::npos)
      << refused.status();
  const auto wordy = PrepareMultiboot(
      {.entry = 0x100020, .kernel_end = 0x200000, .modules = {{small, std::string(600'000, 'c')}}},
      ram_.memory());
  ASSERT_FALSE(wordy.ok());
  EXPECT_NE(wordy.status().message().find("module command line: 600001 bytes"),
            absl::string_view::npos);
}

TEST_F(MultibootTest, AddressFieldsPlaceABareImage) {
  const auto loaded = LoadMultiboot(ToBytes("skipped-image-rest"),
                                    Flat(0x100000, 0x100005, 0x100010), ram_.memory());
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(ram_.String(0x100000, 5), "image");
  EXPECT_EQ(ram_.String(0x100005, 11), std::string(11, 0));
  EXPECT_EQ(ram_.At<uint8_t>(0x100010), 0xaa);
  EXPECT_EQ(loaded->entry, 0x100000u);
  EXPECT_EQ(loaded->lowest, 0x100000u);
  EXPECT_EQ(loaded->end, 0x100010u);
}

TEST_F(MultibootTest, WithoutEndsItIsTheWholeFileAndNoBss) {
  const auto loaded =
      LoadMultiboot(ToBytes("skipped-image-rest"), Flat(0x100000, 0, 0), ram_.memory());
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(ram_.String(0x100000, 10), "image-rest");
  EXPECT_EQ(loaded->end, 0x10000au);
  EXPECT_EQ(ram_.At<uint8_t>(0x10000a), 0xaa);
}

TEST_F(MultibootTest, BareImagesThatDoNotFitAreRefused) {
  const FileBytes file = ToBytes("skipped-image-rest");
  EXPECT_NE(Refusal(file, Flat(0x100000, 0x100100, 0))
                .find("loads 256 bytes from 8, but the file "
                      "has 18"),
            std::string::npos);
  EXPECT_NE(Refusal(file, Flat(0xf0000, 0, 0)).find("0xf0000"), std::string::npos);
  EXPECT_NE(Refusal(file, Flat(0x7fffff, 0, 0)).find("--memory"), std::string::npos);
  EXPECT_NE(Refusal(file, Flat(0x100000, 0, 0xffffffff)).find("to 0xffffffff"), std::string::npos);
  EXPECT_NE(Refusal(file, Flat(0xffffffff, 0, 0)).find("0x100000009"), std::string::npos);
}

TEST_F(MultibootTest, WithoutAddressFieldsItIsElfOrRefused) {
  for (const int bits : {32, 64}) {
    const auto loaded = LoadMultiboot(MakeElf({.bits = bits}), {}, ram_.memory());
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_EQ(loaded->entry, 0x100000u);
  }
  EXPECT_NE(Refusal(ToBytes("no ELF at all"), {}).find("0x10000"), std::string::npos);
}

}  // namespace
}  // namespace hv::boot
