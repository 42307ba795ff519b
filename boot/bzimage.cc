#include "boot/bzimage.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace hv::boot {
namespace {

// Offsets in the file (boot.rst, "The Real-Mode Kernel Header").
constexpr size_t kSetupSectors = 0x1f1, kHeaderLength = 0x201, kMagic = 0x202, kVersion = 0x206,
                 kInitrdAddressMax = 0x22c, kCommandLineSize = 0x238, kPayloadOffset = 0x248,
                 kPayloadLength = 0x24c, kHeaderEnd = 0x268;
constexpr uint32_t kHdrS = 0x53726448;
constexpr uint16_t kOldest = 0x020c;
constexpr size_t kSectorBytes = 512;

template <typename T>
T Field(std::span<const std::byte> file, size_t offset) {
  T value;
  std::memcpy(&value, file.data() + offset, sizeof(T));
  return value;
}

}  // namespace

bool IsBzImage(std::span<const std::byte> file) {
  return file.size() >= kHeaderEnd && Field<uint32_t>(file, kMagic) == kHdrS;
}

absl::StatusOr<BzImage> ParseBzImage(std::span<const std::byte> file) {
  BzImage image;
  image.version = Field<uint16_t>(file, kVersion);
  if (image.version < kOldest) {
    return absl::InvalidArgumentError(absl::StrCat("kernel: bzImage of boot protocol ",
                                                   image.version >> 8, ".", image.version & 0xff,
                                                   ", 2.12 (Linux 3.8) or newer is needed"));
  }
  image.initrd_address_max = Field<uint32_t>(file, kInitrdAddressMax);
  image.command_line_max = Field<uint32_t>(file, kCommandLineSize);
  const size_t header_end = kMagic + Field<uint8_t>(file, kHeaderLength);
  image.header_bytes =
      std::min({header_end - kSetupHeaderAt, kSetupHeaderMax, file.size() - kSetupHeaderAt});
  std::memcpy(image.header.data(), file.data() + kSetupHeaderAt, image.header_bytes);
  const uint8_t sectors = Field<uint8_t>(file, kSetupSectors);
  const size_t protected_mode = (size_t{sectors == 0 ? uint8_t{4} : sectors} + 1) * kSectorBytes;
  const size_t start = protected_mode + Field<uint32_t>(file, kPayloadOffset);
  const size_t length = Field<uint32_t>(file, kPayloadLength);
  if (start > file.size() || length > file.size() - start || length == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("kernel: bzImage cut short: its payload of ", length, " bytes at ", start,
                     " is not in the file of ", file.size(), " bytes"));
  }
  image.payload = file.subspan(start, length);
  return image;
}

}  // namespace hv::boot
