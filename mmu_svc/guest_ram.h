// Guest RAM as mmu_svc reads and writes it: by guest-physical address, while the guest uses it too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "mmu_svc/guest_map.h"
#include "mmu_svc/page_log.h"

namespace hv::mmu {

class GuestRam {
 public:
  // Both outlive it. Slots may reach beyond `ram`: what does is not there.
  GuestRam(const GuestMap& map, std::span<std::byte> ram) : map_(map), ram_(ram) {}

  // One load, so that the guest cannot change the value between a check and its use. Nothing where
  // no RAM is. REQUIRES: `physical` is aligned to the size of T.
  template <typename T>
  std::optional<T> Load(uint64_t physical) const {
    const hv_memory_slot* slot = FindSlot(map_, physical);
    if (slot == nullptr) return std::nullopt;
    const uint64_t offset = OffsetOf(*slot, physical);
    if (offset >= ram_.size() || ram_.size() - offset < sizeof(T)) return std::nullopt;
    // The mapping is page aligned. Relaxed: entries are read as a walk of the processor reads them.
    return __atomic_load_n(reinterpret_cast<const T*>(ram_.data() + offset), __ATOMIC_RELAXED);
  }

  // Stores `bytes` from `physical` on, and notes the pages as the flags of their slots say: nobody
  // else does for what is written through this mapping. False, and nothing is stored: not all of it
  // is RAM that may be written.
  bool Store(uint64_t physical, std::span<const uint8_t> bytes, PageLogs& logs) const {
    for (size_t i = 0; i < bytes.size(); ++i) {
      if (Writable(physical + i) == nullptr) return false;
    }
    for (size_t i = 0; i < bytes.size(); ++i) {
      const hv_memory_slot* slot = Writable(physical + i);
      const uint64_t offset = OffsetOf(*slot, physical + i);
      // As a guest's store: single, not torn. Whoever is told of it is told by a message.
      __atomic_store_n(reinterpret_cast<uint8_t*>(ram_.data() + offset), bytes[i],
                       __ATOMIC_RELAXED);
      if ((slot->flags & HV_MEMORY_LOG_DIRTY) != 0) logs.dirty.Mark(offset / kPageBytes);
      if ((slot->flags & HV_MEMORY_WATCHED) != 0) logs.written.Mark(offset / kPageBytes);
    }
    return true;
  }

 private:
  static uint64_t OffsetOf(const hv_memory_slot& slot, uint64_t physical) {
    return slot.offset + (physical - slot.address);
  }
  const hv_memory_slot* Writable(uint64_t physical) const {
    const hv_memory_slot* slot = FindSlot(map_, physical);
    if (slot == nullptr || (slot->flags & HV_MEMORY_READ_ONLY) != 0) return nullptr;
    return OffsetOf(*slot, physical) < ram_.size() ? slot : nullptr;
  }

  const GuestMap& map_;
  std::span<std::byte> ram_;
};

}  // namespace hv::mmu
