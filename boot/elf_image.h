// Loading ELF64 kernels (System V gABI, chapter 5).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/status/statusor.h"
#include "boot/guest_memory.h"

namespace hv::boot {

bool IsElf(std::span<const std::byte> file);

struct LoadedElf {
  uint64_t entry;          // as in the file header
  uint64_t lowest, end;    // guest-physical range the segments take
};

// Copies the loadable segments to their physical addresses and zeroes what the file leaves out.
// InvalidArgument: not an x86-64 executable, cut short, or a segment where there is no memory.
absl::StatusOr<LoadedElf> LoadElf64(std::span<const std::byte> file, const GuestMemory& memory);

}  // namespace hv::boot
