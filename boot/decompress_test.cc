#include "boot/decompress.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "boot/test_images.h"

namespace hv::boot {
namespace {

constexpr size_t kLimit = 1 << 20;

// Packs somewhat.
FileBytes Kernel(size_t bytes) {
  FileBytes kernel(bytes);
  std::mt19937 random(1);
  for (size_t i = 0; i < bytes; i += 16) kernel[i] = static_cast<std::byte>(random());
  return kernel;
}

std::string Refusal(std::span<const std::byte> payload, size_t limit = kLimit) {
  const auto unpacked = Decompress(payload, limit);
  if (unpacked.ok()) return "accepted";
  EXPECT_EQ(unpacked.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(unpacked.status().message());
}

struct Format {
  const char* name;
  std::function<FileBytes(std::span<const std::byte>)> pack;
};

class DecompressTest : public ::testing::TestWithParam<Format> {};

TEST_P(DecompressTest, UnpacksWhatWasPacked) {
  const FileBytes kernel = Kernel(500'000);
  const auto unpacked = Decompress(GetParam().pack(kernel), kLimit);
  ASSERT_TRUE(unpacked.ok()) << unpacked.status();
  EXPECT_TRUE(*unpacked == kernel);
}

TEST_P(DecompressTest, RefusesMoreThanTheLimit) {
  const FileBytes kernel = Kernel(100'000);
  const FileBytes packed = GetParam().pack(kernel);
  EXPECT_TRUE(Decompress(packed, kernel.size()).ok());
  EXPECT_NE(Refusal(packed, kernel.size() - 1).find("more than 0 MiB"), std::string::npos);
}

// Every cut inside of the stream's last bytes, and some before.
TEST_P(DecompressTest, RefusesWhatIsCutShort) {
  const FileBytes packed = GetParam().pack(Kernel(50'000));
  for (size_t size = 7; size < packed.size();
       size += size + 40 < packed.size() && size > 40 ? 997 : 1) {
    const std::string refusal = Refusal(std::span(packed).first(size));
    EXPECT_NE(refusal.find(GetParam().name), std::string::npos) << size << ": " << refusal;
  }
}

TEST_P(DecompressTest, RefusesWhatIsDamaged) {
  FileBytes packed = GetParam().pack(Kernel(50'000));
  for (size_t i = packed.size() / 2; i < packed.size() / 2 + 64; ++i) packed[i] = std::byte{0xff};
  EXPECT_NE(Refusal(packed).find(GetParam().name), std::string::npos);
}

// A small file that unpacks to more than the machine has: refused before all of it is there.
TEST_P(DecompressTest, RefusesBombs) {
  const FileBytes packed = GetParam().pack(FileBytes(8 << 20));
  EXPECT_LT(packed.size(), 64u << 10);
  EXPECT_NE(Refusal(packed, 2 << 20).find("unpacks to more than 2 MiB"), std::string::npos);
}

// LZ4's legacy frames have no end mark, so nothing can follow them.
class DecompressMarkedEndTest : public DecompressTest {};

TEST_P(DecompressMarkedEndTest, IgnoresWhatFollowsTheStream) {
  const FileBytes kernel = Kernel(1000);
  FileBytes packed = GetParam().pack(kernel);
  Append(packed, ToBytes("\x01\x02\x03\x04"));
  const auto unpacked = Decompress(packed, kLimit);
  ASSERT_TRUE(unpacked.ok()) << unpacked.status();
  EXPECT_EQ(*unpacked, kernel);
}

constexpr auto kName = [](const auto& info) { return std::string(info.param.name); };
FileBytes ZstdWithChecksum(std::span<const std::byte> bytes) { return Zstd(bytes); }

INSTANTIATE_TEST_SUITE_P(Formats, DecompressTest,
                         ::testing::Values(Format{"gzip", Gzip}, Format{"XZ", Xz},
                                           Format{"zstd", ZstdWithChecksum}, Format{"LZ4", Lz4}),
                         kName);
INSTANTIATE_TEST_SUITE_P(Formats, DecompressMarkedEndTest,
                         ::testing::Values(Format{"gzip", Gzip}, Format{"XZ", Xz},
                                           Format{"zstd", ZstdWithChecksum}),
                         kName);

TEST(DecompressZstdTest, UnpacksFramesWithoutChecksum) {
  const FileBytes kernel = Kernel(1000);
  const FileBytes packed = Zstd(kernel, /*checksum=*/false);
  EXPECT_EQ(packed.size() + 4, Zstd(kernel).size());
  EXPECT_EQ(*Decompress(packed, kLimit), kernel);
}

TEST(DecompressLz4Test, UnpacksMoreThanOneBlock) {
  FileBytes kernel((8 << 20) + 5);
  kernel.back() = std::byte{1};
  const auto unpacked = Decompress(Lz4(kernel), kernel.size());
  ASSERT_TRUE(unpacked.ok()) << unpacked.status();
  EXPECT_TRUE(*unpacked == kernel);
}

// Each unpacks to nothing; what they cost must not be a block's room each.
TEST(DecompressLz4Test, EmptyBlocksAreCheap) {
  FileBytes packed = ToBytes("\x02\x21\x4c\x18");
  for (int i = 0; i < 100'000; ++i) Append(packed, ToBytes(std::string("\1\0\0\0\0", 5)));
  EXPECT_NE(Refusal(packed).find("LZ4"), std::string::npos);
}

TEST(DecompressLz4Test, RefusesAnotherSizeThanIsAppended) {
  FileBytes packed = Lz4(Kernel(1000));
  Patch<uint32_t>(packed, packed.size() - 4, 999);
  EXPECT_NE(Refusal(packed).find("LZ4"), std::string::npos);
}

TEST(DecompressLz4Test, UnpacksWithoutAppendedSizeAndFrameAfterFrame) {
  const FileBytes kernel = Kernel(1000);
  FileBytes packed = Lz4(kernel);
  packed.resize(packed.size() - 4);
  FileBytes twice = packed;
  Append(twice, packed);
  EXPECT_EQ(*Decompress(packed, kLimit), kernel);
  EXPECT_EQ(Decompress(twice, kLimit)->size(), 2 * kernel.size());
}

TEST(DecompressOtherTest, NamesTheFormatsItCannotUnpack) {
  EXPECT_NE(Refusal(ToBytes("BZh91AY")).find("bzip2"), std::string::npos);
  EXPECT_NE(Refusal(ToBytes("\x89LZO\r\n")).find("LZO"), std::string::npos);
  EXPECT_NE(Refusal(ToBytes(std::string("]\0\0\0\4", 5))).find("LZMA"), std::string::npos);
  for (const char* payload : {"BZh91AY", "unknown"}) {
    EXPECT_NE(Refusal(ToBytes(payload)).find("extract-vmlinux"), std::string::npos);
  }
}

TEST(DecompressOtherTest, SaysThatNothingIsPacked) {
  EXPECT_NE(Refusal(MakeElf({})).find("not packed but an ELF"), std::string::npos);
}

TEST(DecompressOtherTest, ShowsTheFirstBytesOfTheUnknown) {
  EXPECT_NE(Refusal(ToBytes("\x01garbage")).find("begins with 01 67 61 72 62 61;"),
            std::string::npos);
  EXPECT_NE(Refusal(ToBytes("\x02")).find("begins with 02;"), std::string::npos);
}

// A window of 1.5 GiB, which a hostile XZ header asks for in a few bytes.
TEST(DecompressOtherTest, RefusesDecodersThatWantTooMuchMemory) {
  FileBytes packed = Xz(Kernel(1000));
  // Block header after the 12 bytes of the stream header: size, flags, filter 04H without
  // properties, filter 21H with one byte of them: dictionary size 1.5 GiB as 37
  // (xz-file-format 3.1, 5.3.1).
  ASSERT_EQ(packed[14], std::byte{0x04});
  ASSERT_EQ(packed[16], std::byte{0x21});
  packed[18] = std::byte{37};
  const uint32_t header_bytes = (static_cast<uint32_t>(packed[12]) + 1) * 4;
  Patch<uint32_t>(packed, 12 + header_bytes - 4,
                  Crc32(std::span(packed).subspan(12, header_bytes - 4)));
  EXPECT_NE(Refusal(packed).find("takes more than 256 MiB"), std::string::npos);
}

}  // namespace
}  // namespace hv::boot
