// The guest-physical map as mmu_svc keeps it: routes and memory slots, and the rules they obey.
#pragma once

#include <cstdint>

#include "abi/route_table.h"
#include "absl/status/status.h"

namespace hv::mmu {

inline constexpr uint64_t kPageBytes = 4096;

// Plain data, part of the state.
struct GuestMap {
  uint32_t route_count;
  uint32_t slot_count;
  hv_route routes[HV_MAX_ROUTES];
  hv_memory_slot slots[HV_MAX_MEMORY_SLOTS];
};

// Sorts routes by space and address, slots by address, and checks them. InvalidArgument, naming the
// entry: a range that is none, two that overlap, memory that is not whole pages or wraps, flags
// that do not exist or contradict each other.
absl::Status CheckMap(GuestMap& map);

// The slot that holds `physical`; null: no memory there.
const hv_memory_slot* FindSlot(const GuestMap& map, uint64_t physical);

inline bool IsRom(const hv_memory_slot& slot) {
  return (slot.flags & (HV_MEMORY_READ_ONLY | HV_MEMORY_PROTECTED)) == HV_MEMORY_READ_ONLY;
}

}  // namespace hv::mmu
