// Loading ELF kernels (System V gABI, chapters 4 and 5).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/status/statusor.h"
#include "boot/guest_memory.h"

namespace hv::boot {

bool IsElf(std::span<const std::byte> file);
// REQUIRES: IsElf(file).
bool IsElf64(std::span<const std::byte> file);

struct LoadedElf {
  uint64_t entry;  // physical: an entry in a segment's virtual range is taken to where that lies
  uint64_t lowest, end;  // guest-physical range the segments take

  bool Contains(uint64_t address) const { return address >= lowest && address < end; }
};

// Copies the loadable segments of an ELF64 for x86-64 or an ELF32 for i386 to their physical
// addresses and zeroes what the file leaves out. InvalidArgument: another machine, cut short, or a
// segment where there is no memory.
absl::StatusOr<LoadedElf> LoadElf(std::span<const std::byte> file, const GuestMemory& memory);

}  // namespace hv::boot
