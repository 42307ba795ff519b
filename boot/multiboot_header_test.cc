#include "boot/multiboot_header.h"

#include <gtest/gtest.h>

#include "boot/test_images.h"

namespace hv::boot {
namespace {

constexpr uint32_t kAddressFields = 0x10000;

FileBytes At(size_t offset, const FileBytes& header) {
  FileBytes file(offset);
  Append(file, header);
  return file;
}

FileBytes WithAddresses(const std::vector<uint32_t>& fields, size_t offset = 0) {
  FileBytes header = MakeMultibootHeader(kAddressFields);
  Append(header, std::as_bytes(std::span(fields)));
  return At(offset, header);
}

bool Found(const FileBytes& file) {
  const auto header = FindMultibootHeader(file);
  EXPECT_TRUE(header.ok()) << header.status();
  return header.ok() && header->has_value();
}

std::string Refusal(const FileBytes& file) {
  const auto header = FindMultibootHeader(file);
  return header.ok() ? "accepted" : std::string(header.status().message());
}

TEST(MultibootHeaderTest, IsFoundOnlyInTheFirst8KiBOnFourBytes) {
  EXPECT_TRUE(Found(At(0, MakeMultibootHeader(3))));
  EXPECT_TRUE(Found(At(8192 - 12, MakeMultibootHeader(3))));
  EXPECT_FALSE(Found(At(8192 - 8, MakeMultibootHeader(3))));
  EXPECT_FALSE(Found(At(2, MakeMultibootHeader(3))));
  EXPECT_FALSE(Found({}));
  EXPECT_FALSE(Found(FileBytes(10)));
}

TEST(MultibootHeaderTest, NeedsItsChecksum) {
  FileBytes file = MakeMultibootHeader(3);
  Patch<uint32_t>(file, 4, 1);
  EXPECT_FALSE(Found(file));
}

TEST(MultibootHeaderTest, RequirementsThatCannotBeMetAreRefused) {
  const std::string video = Refusal(MakeMultibootHeader(7));
  EXPECT_NE(video.find("requires flags 0x4 "), std::string::npos) << video;
  EXPECT_NE(video.find("no display"), std::string::npos) << video;
  EXPECT_NE(video.find("build it with 0x3"), std::string::npos) << video;
  EXPECT_NE(Refusal(MakeMultibootHeader(0x8000)).find("0x8000"), std::string::npos);
  EXPECT_EQ(Refusal(MakeMultibootHeader(0xfffe0003)), "accepted");  // wishes
}

TEST(MultibootHeaderTest, AddressFieldsSayWhereTheFileGoes) {
  const auto header =
      FindMultibootHeader(WithAddresses({0x100040, 0x100000, 0x101000, 0x102000, 0x100080}, 0x60));
  ASSERT_TRUE(header.ok()) << header.status();
  const auto& addresses = (*header)->addresses;
  ASSERT_TRUE(addresses);
  EXPECT_EQ(addresses->file_offset, 0x20u);
  EXPECT_EQ(addresses->load, 0x100000u);
  EXPECT_EQ(addresses->load_end, 0x101000u);
  EXPECT_EQ(addresses->bss_end, 0x102000u);
  EXPECT_EQ(addresses->entry, 0x100080u);
  EXPECT_FALSE((*FindMultibootHeader(MakeMultibootHeader(3)))->addresses);
}

TEST(MultibootHeaderTest, AddressesThatContradictEachOtherAreRefused) {
  const std::vector<std::vector<uint32_t>> wrong = {
      {0x100000, 0x100040, 0, 0, 0x100000},                // load above the header
      {0x100040, 0x100000, 0, 0, 0x100000},                // begins before the file
      {0x100000, 0x100000, 0x100000, 0, 0x100000},         // nothing to load
      {0x100000, 0x100000, 0xff000, 0, 0x100000},          // ends before it begins
      {0x100000, 0x100000, 0x102000, 0x101000, 0x100000},  // bss ends inside
  };
  for (const auto& fields : wrong) {
    EXPECT_NE(Refusal(WithAddresses(fields)).find("contradict"), std::string::npos);
  }
}

TEST(MultibootHeaderTest, CutShortInItsAddresses) {
  FileBytes file = WithAddresses({0x100000, 0x100000, 0, 0, 0x100000});
  file.resize(file.size() - 1);
  EXPECT_NE(Refusal(file).find("cut short"), std::string::npos);
}

TEST(MultibootHeaderTest, Multiboot2IsToldApart) {
  FileBytes file(64);
  Patch<uint32_t>(file, 8, 0xe85250d6);
  Patch<uint32_t>(file, 16, 16);
  EXPECT_FALSE(HasMultiboot2Header(file));
  Patch<uint32_t>(file, 20, 0u - 0xe85250d6 - 16);
  EXPECT_TRUE(HasMultiboot2Header(file));
  EXPECT_FALSE(Found(file));
  EXPECT_FALSE(HasMultiboot2Header({}));
}

}  // namespace
}  // namespace hv::boot
