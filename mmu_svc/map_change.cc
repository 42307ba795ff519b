#include "mmu_svc/map_change.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace hv::mmu {
namespace {

constexpr uint32_t kProtection = HV_MEMORY_READ_ONLY | HV_MEMORY_PROTECTED;

uint64_t EndOf(const hv_memory_slot& slot) { return slot.address + slot.bytes; }

// The part of `slot` in [begin, end).
hv_memory_slot Part(const hv_memory_slot& slot, uint64_t begin, uint64_t end) {
  hv_memory_slot part = slot;
  part.address = std::clamp(begin, slot.address, EndOf(slot));
  part.bytes = std::clamp(end, part.address, EndOf(slot)) - part.address;
  part.offset = slot.offset + (part.address - slot.address);
  return part;
}

void Append(std::vector<hv_memory_slot>& slots, const hv_memory_slot& next) {
  if (next.bytes == 0) return;
  if (!slots.empty()) {
    hv_memory_slot& last = slots.back();
    if (EndOf(last) == next.address && last.offset + last.bytes == next.offset &&
        last.flags == next.flags) {
      last.bytes += next.bytes;
      return;
    }
  }
  slots.push_back(next);
}

absl::Status CheckPages(const Range& range) {
  if ((range.address | range.bytes) % kPageBytes == 0 &&
      range.address + range.bytes >= range.address) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("range: 0x", absl::Hex(range.bytes),
                                                 " bytes at 0x", absl::Hex(range.address),
                                                 " are not whole pages of 4096 bytes"));
}

// Whether memory lies everywhere in a range that is not empty.
absl::Status CheckCovered(const GuestMap& map, const Range& range) {
  if (range.bytes == 0) return absl::InvalidArgumentError("range: it is empty");
  for (uint64_t at = range.address; at < range.address + range.bytes;) {
    const hv_memory_slot* slot = FindSlot(map, at);
    if (slot == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat("range: no memory at 0x", absl::Hex(at)));
    }
    at = EndOf(*slot);
  }
  return absl::OkStatus();
}

// Clears the flags `clear` in [begin, end), then sets `set`.
absl::Status ChangeFlags(GuestMap& map, uint64_t begin, uint64_t end, uint32_t clear,
                         uint32_t set) {
  std::vector<hv_memory_slot> slots;
  for (uint32_t i = 0; i < map.slot_count; ++i) {
    const hv_memory_slot& slot = map.slots[i];
    Append(slots, Part(slot, 0, begin));
    hv_memory_slot inside = Part(slot, begin, end);
    inside.flags = (inside.flags & ~clear) | set;
    Append(slots, inside);
    Append(slots, Part(slot, end, UINT64_MAX));
  }
  if (slots.size() > HV_MAX_MEMORY_SLOTS) {
    return absl::ResourceExhaustedError(
        absl::StrCat("range: the map would be cut into ", slots.size(), " slots, at most ",
                     HV_MAX_MEMORY_SLOTS, " are possible; take back earlier changes"));
  }
  std::fill(std::begin(map.slots), std::end(map.slots), hv_memory_slot{});
  std::copy(slots.begin(), slots.end(), map.slots);
  map.slot_count = static_cast<uint32_t>(slots.size());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<RamPages>> SetNoting(GuestMap& map, Range range, uint32_t flag,
                                                bool on) {
  if (auto status = CheckPages(range); !status.ok()) return status;
  const bool to_the_end = range.bytes == 0;
  if (to_the_end &&
      (map.slot_count == 0 || EndOf(map.slots[map.slot_count - 1]) <= range.address)) {
    return absl::InvalidArgumentError(
        absl::StrCat("range: no memory at or above 0x", absl::Hex(range.address)));
  }
  if (!to_the_end) {
    if (auto status = CheckCovered(map, range); !status.ok()) return status;
  }
  const uint64_t end = to_the_end ? UINT64_MAX : range.address + range.bytes;
  std::vector<RamPages> pages;
  for (uint32_t i = 0; i < map.slot_count; ++i) {
    const hv_memory_slot part = Part(map.slots[i], range.address, end);
    if (part.bytes == 0) continue;
    pages.push_back({part.offset / kPageBytes, part.bytes / kPageBytes, (part.flags & flag) != 0});
  }
  if (auto status = ChangeFlags(map, range.address, end, flag, on ? flag : 0); !status.ok()) {
    return status;
  }
  return pages;
}

absl::Status SetWriteProtection(GuestMap& map, Range range, bool on) {
  if (auto status = CheckPages(range); !status.ok()) return status;
  if (auto status = CheckCovered(map, range); !status.ok()) return status;
  const uint64_t end = range.address + range.bytes;
  for (uint32_t i = 0; i < map.slot_count; ++i) {
    const hv_memory_slot part = Part(map.slots[i], range.address, end);
    if (part.bytes != 0 && IsRom(part)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "range: there is ROM at 0x", absl::Hex(part.address), ", which is always protected"));
    }
  }
  return ChangeFlags(map, range.address, end, kProtection, on ? kProtection : 0);
}

}  // namespace hv::mmu
