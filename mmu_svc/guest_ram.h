// Guest RAM as mmu_svc reads it: by guest-physical address, while the guest may be writing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "mmu_svc/guest_map.h"

namespace hv::mmu {

class GuestRam {
 public:
  // Both outlive it. Slots may reach beyond `ram`: what does is not there.
  GuestRam(const GuestMap& map, std::span<const std::byte> ram) : map_(map), ram_(ram) {}

  // One load, so that the guest cannot change the value between a check and its use. Nothing where
  // no RAM is. REQUIRES: `physical` is aligned to the size of T.
  template <typename T>
  std::optional<T> Load(uint64_t physical) const {
    const hv_memory_slot* slot = FindSlot(map_, physical);
    if (slot == nullptr) return std::nullopt;
    const uint64_t offset = slot->offset + (physical - slot->address);
    if (offset >= ram_.size() || ram_.size() - offset < sizeof(T)) return std::nullopt;
    // The mapping is page aligned. Relaxed: entries are read as a walk of the processor reads them.
    return __atomic_load_n(reinterpret_cast<const T*>(ram_.data() + offset), __ATOMIC_RELAXED);
  }

 private:
  const GuestMap& map_;
  std::span<const std::byte> ram_;
};

}  // namespace hv::mmu
