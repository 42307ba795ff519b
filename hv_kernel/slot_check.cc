#include "hv_kernel/slot_check.h"

#include "absl/strings/str_cat.h"

namespace hv {
namespace {

constexpr uint64_t kPage = 4096;

}  // namespace

absl::Status CheckSlots(std::span<const hv_memory_slot> slots, size_t ram_bytes) {
  if (slots.size() > HV_MAX_MEMORY_SLOTS) {
    return absl::InvalidArgumentError(
        absl::StrCat("memory: ", slots.size(), " slots, at most ", HV_MAX_MEMORY_SLOTS));
  }
  for (const hv_memory_slot& slot : slots) {
    const bool aligned = (slot.address | slot.bytes | slot.offset) % kPage == 0;
    if (!aligned || slot.bytes == 0 || slot.offset > ram_bytes ||
        slot.bytes > ram_bytes - slot.offset) {
      return absl::InvalidArgumentError(absl::StrCat(
          "memory: slot at 0x", absl::Hex(slot.address), " of 0x", absl::Hex(slot.bytes),
          " bytes does not lie in the RAM segment of 0x", absl::Hex(ram_bytes), " bytes"));
    }
  }
  return absl::OkStatus();
}

}  // namespace hv
