// The machine's memory as every boot protocol tells it: ranges in the order of their addresses,
// with the types of BIOS function E820H (ACPI 6.4, table 15.3).
#pragma once

#include <cstdint>
#include <vector>

#include "boot/guest_memory.h"

namespace hv::boot {

enum class MemoryType : uint32_t { kUsable = 1, kReserved = 2 };

struct MemoryRange {
  uint64_t start;
  uint64_t bytes;  // not 0
  MemoryType type;

  bool operator==(const MemoryRange&) const = default;
};

// Everything that is RAM; what the map does not name is not there.
std::vector<MemoryRange> MemoryMap(const GuestMemory& memory);

}  // namespace hv::boot
