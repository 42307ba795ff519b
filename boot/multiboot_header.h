// The Multiboot header of a kernel file (Multiboot specification 0.6.96, 3.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "absl/status/statusor.h"

namespace hv::boot {

struct MultibootHeader {
  // Bit 16 of the flags: where the image goes, for files that are not ELF. Physical addresses.
  struct Addresses {
    uint64_t file_offset;  // of what belongs at `load`
    uint32_t load;
    uint32_t load_end;  // 0: all of the file
    uint32_t bss_end;   // 0: no bss
    uint32_t entry;
  };
  std::optional<Addresses> addresses;
};

// Looks for the header in the first 8 KiB. Nullopt: there is none. InvalidArgument: there is one
// that asks for what this loader does not give, or whose addresses contradict each other.
absl::StatusOr<std::optional<MultibootHeader>> FindMultibootHeader(std::span<const std::byte> file);

// A header of Multiboot 2, which is another protocol, in the first 32 KiB.
bool HasMultiboot2Header(std::span<const std::byte> file);

}  // namespace hv::boot
