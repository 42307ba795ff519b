// Which parts of guest RAM the guest-physical map says are watched for writes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "mmu_svc/guest_map.h"
#include "mmu_svc/pager/read_ahead.h"

namespace hv::mmu {

// By slot; whatever reaches beyond the RAM segment is left out.
inline std::vector<Extent> WatchedMemory(const GuestMap& map, uint64_t ram_bytes) {
  std::vector<Extent> watched;
  for (uint32_t i = 0; i < map.slot_count; ++i) {
    const hv_memory_slot& slot = map.slots[i];
    if ((slot.flags & HV_MEMORY_WATCHED) == 0 || slot.offset >= ram_bytes) continue;
    watched.push_back({slot.offset, slot.offset + std::min(slot.bytes, ram_bytes - slot.offset)});
  }
  return watched;
}

}  // namespace hv::mmu
