// The segment table of an ELF executable, checked against the file (System V gABI, chapter 5).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

namespace hv::boot {

struct ElfSegment {
  int index;
  uint32_t type;                     // PT_*
  uint64_t file_offset, file_bytes;  // inside the file, if the segment is PT_LOAD or PT_NOTE
  uint64_t physical, virtual_address, memory_bytes;  // memory_bytes >= file_bytes, if PT_LOAD
  uint64_t alignment;
};

struct ElfSegments {
  uint64_t entry;
  std::vector<ElfSegment> segments;
};

// InvalidArgument: not an executable for x86-64 (ELF64) or i386 (ELF32), or cut short.
absl::StatusOr<ElfSegments> ReadElfSegments(std::span<const std::byte> file);

}  // namespace hv::boot
