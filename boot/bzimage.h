// The Linux bzImage: its set-up header and its payload (Linux Documentation/x86/boot.rst).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/status/statusor.h"

namespace hv::boot {

// The set-up header, as it stands in the file at 1F1H and in boot_params at the same place.
inline constexpr uint64_t kSetupHeaderAt = 0x1f1;
inline constexpr size_t kSetupHeaderMax = 0x290 - kSetupHeaderAt;

struct BzImage {
  std::array<std::byte, kSetupHeaderMax> header{};
  size_t header_bytes = 0;
  uint16_t version = 0;  // boot protocol, e.g. 20fH
  uint32_t initrd_address_max = 0;
  uint32_t command_line_max = 0;  // bytes without the final zero
  // The compressed 64-bit kernel. Empty: there is none, and protected_mode is what runs.
  std::span<const std::byte> payload;
  std::span<const std::byte> protected_mode;  // what is entered in 32-bit mode, with the payload
  uint64_t preferred_address = 0;             // where that moves itself to; 0: it stays
  uint64_t initial_bytes = 0;                 // what it needs from there until it knows its memory

  // From where protected_mode is loaded.
  uint64_t memory_bytes() const;
};

bool IsBzImage(std::span<const std::byte> file);
// InvalidArgument: cut short, or of a boot protocol before 2.12 (which says whether the kernel is a
// 64-bit one).
absl::StatusOr<BzImage> ParseBzImage(std::span<const std::byte> file);

}  // namespace hv::boot
