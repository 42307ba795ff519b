#include "mmu_svc/guest_map.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"

namespace hv::mmu {
namespace {

constexpr uint32_t kKnownFlags =
    HV_MEMORY_READ_ONLY | HV_MEMORY_LOG_DIRTY | HV_MEMORY_PROTECTED | HV_MEMORY_WATCHED;

// The combinations that abi/route_table.h has.
bool AreRouteFlags(uint16_t flags) {
  switch (flags) {
    case 0:
    case HV_ROUTE_POSTED_WRITES:
    case HV_ROUTE_POSTED_WRITES | HV_ROUTE_LATE_WRITES:
    case HV_ROUTE_COUNTED_WRITES: return true;
    default: return false;
  }
}

absl::Status CheckRoutes(GuestMap& map) {
  std::sort(map.routes, map.routes + map.route_count, [](const hv_route& a, const hv_route& b) {
    return std::tie(a.space, a.first) < std::tie(b.space, b.first);
  });
  for (uint32_t i = 0; i < map.route_count; ++i) {
    const hv_route& route = map.routes[i];
    const uint64_t end = route.space == HV_SPACE_PORT ? 0xffff : UINT64_MAX;
    if (route.first > route.last || route.last > end || route.space > HV_SPACE_MMIO) {
      return absl::InvalidArgumentError(absl::StrCat("routes: [0x", absl::Hex(route.first), ", 0x",
                                                     absl::Hex(route.last), "] in space ",
                                                     route.space, " is no range"));
    }
    if (!AreRouteFlags(route.flags)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "routes: flags 0x", absl::Hex(route.flags), " at 0x", absl::Hex(route.first),
          ": writes are posted (1), posted and late (3), counted (4) or answered (0)"));
    }
    if (i > 0 && map.routes[i - 1].space == route.space && map.routes[i - 1].last >= route.first) {
      return absl::InvalidArgumentError(
          absl::StrCat("routes: two answer at 0x", absl::Hex(route.first)));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckSlots(GuestMap& map) {
  std::sort(map.slots, map.slots + map.slot_count,
            [](const auto& a, const auto& b) { return a.address < b.address; });
  for (uint32_t i = 0; i < map.slot_count; ++i) {
    const hv_memory_slot& slot = map.slots[i];
    const bool aligned = (slot.address | slot.bytes | slot.offset) % kPageBytes == 0;
    const bool wraps =
        slot.address + slot.bytes < slot.address || slot.offset + slot.bytes < slot.offset;
    if (!aligned || slot.bytes == 0 || wraps) {
      return absl::InvalidArgumentError(absl::StrCat("memory: 0x", absl::Hex(slot.bytes),
                                                     " bytes at 0x", absl::Hex(slot.address),
                                                     " are not whole pages"));
    }
    if (i > 0 && map.slots[i - 1].address + map.slots[i - 1].bytes > slot.address) {
      return absl::InvalidArgumentError(
          absl::StrCat("memory: two slots at 0x", absl::Hex(slot.address)));
    }
    const bool writable = (slot.flags & HV_MEMORY_READ_ONLY) == 0;
    if ((slot.flags & ~kKnownFlags) != 0 || (writable && (slot.flags & HV_MEMORY_PROTECTED) != 0)) {
      return absl::InvalidArgumentError(absl::StrCat("memory: flags 0x", absl::Hex(slot.flags),
                                                     " at 0x", absl::Hex(slot.address)));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckMap(GuestMap& map) {
  if (auto status = CheckRoutes(map); !status.ok()) return status;
  return CheckSlots(map);
}

const hv_memory_slot* FindSlot(const GuestMap& map, uint64_t physical) {
  for (uint32_t i = 0; i < map.slot_count; ++i) {
    if (physical - map.slots[i].address < map.slots[i].bytes) return &map.slots[i];
  }
  return nullptr;
}

}  // namespace hv::mmu
