#include "boot/bzimage.h"

#include <gtest/gtest.h>

#include "boot/test_images.h"

namespace hv::boot {
namespace {

constexpr size_t kProtectedMode = 5 * 512;

FileBytes Image() { return MakeBzImage(ToBytes("the payload")); }

std::string Refusal(const FileBytes& file) {
  const auto image = ParseBzImage(file);
  return image.ok() ? "accepted" : std::string(image.status().message());
}

TEST(BzImageTest, IsToldByItsMagic) {
  EXPECT_TRUE(IsBzImage(Image()));
  FileBytes file = Image();
  file[0x202] = std::byte{0};
  EXPECT_FALSE(IsBzImage(file));
  file = Image();
  file.resize(0x267);  // shorter than the header
  EXPECT_FALSE(IsBzImage(file));
  EXPECT_FALSE(IsBzImage({}));
}

TEST(BzImageTest, FindsPayloadAndLimits) {
  FileBytes file = Image();
  Patch<uint32_t>(file, 0x22c, 0x37ffffff);
  Patch<uint32_t>(file, 0x238, 4095);
  const auto image = ParseBzImage(file);
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(FileBytes(image->payload.begin(), image->payload.end()), ToBytes("the payload"));
  EXPECT_EQ(image->version, 0x20f);
  EXPECT_EQ(image->initrd_address_max, 0x37ffffffu);
  EXPECT_EQ(image->command_line_max, 4095u);
}

TEST(BzImageTest, HeaderIsCopiedToItsEndAndNoFurther) {
  const auto image = ParseBzImage(Image());
  EXPECT_EQ(image->header_bytes, 0x268 - kSetupHeaderAt);
  EXPECT_EQ(image->header[0x202 - kSetupHeaderAt], std::byte{'H'});
  FileBytes file = Image();
  Patch<uint8_t>(file, 0x201, 0xff);  // beyond boot_params' room for it
  EXPECT_EQ(ParseBzImage(file)->header_bytes, kSetupHeaderMax);
}

TEST(BzImageTest, NoSetUpSectorsMeansFour) {
  FileBytes file = Image();
  Patch<uint8_t>(file, 0x1f1, 0);
  EXPECT_EQ(ParseBzImage(file)->payload.size(), 11u);
}

TEST(BzImageTest, OldProtocolsAreRefused) {
  FileBytes file = Image();
  Patch<uint16_t>(file, 0x206, 0x20b);
  EXPECT_NE(Refusal(file).find("protocol 2.11, 2.12"), std::string::npos) << Refusal(file);
}

TEST(BzImageTest, PayloadsThatAreNotInTheFileAreRefused) {
  FileBytes file = Image();
  file.resize(file.size() - 1);
  EXPECT_NE(Refusal(file).find("payload of 11 bytes at 2624"), std::string::npos) << Refusal(file);
  file = Image();
  file.resize(kProtectedMode);
  EXPECT_NE(Refusal(file).find("cut short"), std::string::npos);
  for (const size_t field : {0x248, 0x24c}) {  // offset, length
    file = Image();
    Patch<uint32_t>(file, field, 0xffffffff);
    EXPECT_NE(Refusal(file).find("cut short"), std::string::npos);
  }
}

TEST(BzImageTest, WithoutA64BitPayloadItsProtectedModeCodeIsTheKernel) {
  FileBytes file = MakeBzImage32(ToBytes("the code"));
  Patch<uint32_t>(file, 0x260, 0x3000);  // what it needs at first
  auto image = ParseBzImage(file);
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_TRUE(image->payload.empty());
  EXPECT_EQ(FileBytes(image->protected_mode.begin(), image->protected_mode.end()),
            ToBytes("the code"));
  EXPECT_EQ(image->memory_bytes(), 0x3000u);
  Patch<uint16_t>(file, 0x236, 1);  // a 64-bit entry, and nothing to unpack
  EXPECT_TRUE(ParseBzImage(file)->payload.empty());
  Patch<uint64_t>(file, 0x258, 0x1000000);  // from 16 MiB on
  EXPECT_EQ(ParseBzImage(file)->memory_bytes(), 0xf00000u + 0x3000u);
  Patch<uint64_t>(file, 0x258, uint64_t{1} << 32);
  EXPECT_NE(Refusal(file).find("0x100000000, beyond 4 GiB"), std::string::npos) << Refusal(file);
  file.resize(kProtectedMode);
  EXPECT_NE(Refusal(file).find("its code at 2560 is not"), std::string::npos) << Refusal(file);
}

}  // namespace
}  // namespace hv::boot
