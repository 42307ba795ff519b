#include "boot/bzimage.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "boot/guest_memory.h"

namespace hv::boot {
namespace {

// Offsets in the file (boot.rst, "The Real-Mode Kernel Header").
constexpr size_t kSetupSectors = 0x1f1, kHeaderLength = 0x201, kMagic = 0x202, kVersion = 0x206,
                 kInitrdAddressMax = 0x22c, kCommandLineSize = 0x238, kPayloadOffset = 0x248,
                 kPayloadLength = 0x24c, kExtendedLoadFlags = 0x236, kPreferredAddress = 0x258,
                 kInitialBytes = 0x260, kHeaderEnd = 0x268;
constexpr uint16_t kHas64BitEntry = 1;  // XLF_KERNEL_64
constexpr uint64_t kMostPreferredAddress = 0xffffffff;
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
  if (protected_mode >= file.size()) {
    return absl::InvalidArgumentError(absl::StrCat("kernel: bzImage cut short: its code at ",
                                                   protected_mode, " is not in the file of ",
                                                   file.size(), " bytes"));
  }
  image.protected_mode = file.subspan(protected_mode);
  image.preferred_address = Field<uint64_t>(file, kPreferredAddress);
  image.initial_bytes = Field<uint32_t>(file, kInitialBytes);
  const size_t length = Field<uint32_t>(file, kPayloadLength);
  if ((Field<uint16_t>(file, kExtendedLoadFlags) & kHas64BitEntry) == 0 || length == 0) {
    if (image.preferred_address <= kMostPreferredAddress) return image;
    return absl::InvalidArgumentError(
        absl::StrCat("kernel: bzImage without 64-bit payload that wants to be at 0x",
                     absl::Hex(image.preferred_address), ", beyond 4 GiB; it is damaged"));
  }
  const size_t start = protected_mode + Field<uint32_t>(file, kPayloadOffset);
  if (start > file.size() || length > file.size() - start) {
    return absl::InvalidArgumentError(
        absl::StrCat("kernel: bzImage cut short: its payload of ", length, " bytes at ", start,
                     " is not in the file of ", file.size(), " bytes"));
  }
  image.payload = file.subspan(start, length);
  return image;
}

uint64_t BzImage::memory_bytes() const {
  const uint64_t moves_by =
      preferred_address > kProtectedModeCodeAt ? preferred_address - kProtectedModeCodeAt : 0;
  return std::max<uint64_t>(protected_mode.size(), moves_by + initial_bytes);
}

}  // namespace hv::boot
