#include "boot/memory_map.h"

#include "abi/platform.h"

namespace hv::boot {

std::vector<MemoryRange> MemoryMap(const GuestMemory& memory) {
  std::vector<MemoryRange> map;
  const auto add = [&](uint64_t start, uint64_t end, MemoryType type) {
    if (start < end) map.push_back({start, end - start, type});
  };
  add(0, kLowMemoryEnd, MemoryType::kUsable);
  // EBDA, ROM area, ACPI tables.
  add(kLowMemoryEnd, kHighMemoryStart, MemoryType::kReserved);
  add(kHighMemoryStart, memory.low_bytes(), MemoryType::kUsable);
  add(HV_HIGH_RAM_BASE, HV_HIGH_RAM_BASE + memory.high_bytes(), MemoryType::kUsable);
  return map;
}

}  // namespace hv::boot
