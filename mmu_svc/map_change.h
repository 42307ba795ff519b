// Switching what is noted of ranges of the guest-physical map, and their write protection.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "mmu_svc/guest_map.h"

namespace hv::mmu {

// Guest-physical [address, address + bytes).
struct Range {
  uint64_t address = 0;
  uint64_t bytes = 0;
};

// Pages of the RAM segment.
struct RamPages {
  uint64_t first = 0;
  uint64_t count = 0;
  bool was_on = false;  // noted before
};

// Both cut slots where the range begins and ends, and join them again where nothing differs. An
// error leaves `map` as it was. InvalidArgument: not whole pages, or memory is missing in the
// range. ResourceExhausted: the map would need more than HV_MAX_MEMORY_SLOTS slots.

// Switches the noting of written pages: `flag` is HV_MEMORY_LOG_DIRTY or HV_MEMORY_WATCHED.
// `range.bytes` 0: all memory from `range.address` on, holes skipped. Returns the pages of it.
absl::StatusOr<std::vector<RamPages>> SetNoting(GuestMap& map, Range range, uint32_t flag, bool on);

// InvalidArgument also: part of the range is ROM.
absl::Status SetWriteProtection(GuestMap& map, Range range, bool on);

}  // namespace hv::mmu
