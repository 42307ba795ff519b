// Guest RAM as KVM's memory slots: what has to change from one map to the next.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "abi/route_table.h"
#include "absl/status/status.h"

namespace hv::kvm {

class MemorySlots {
 public:
  // What KVM does not allow at once becomes two calls: a slot that goes has 0 bytes.
  struct Change {
    uint32_t id;
    hv_memory_slot slot;
  };

  // The changes, in the order in which KVM takes them, that make of this map the one of `slots`.
  // Slots that stay where they are keep their id and their pages, and change at most their logging.
  // Pure. REQUIRES: they do not overlap, and are no more than HV_MAX_MEMORY_SLOTS.
  std::vector<Change> Plan(std::span<const hv_memory_slot> slots, MemorySlots& next) const;

  // Has KVM make them. `ram` is where the offsets begin.
  static absl::Status Apply(std::span<const Change> changes, int vm_fd, std::byte* ram);

  // The slot with that id; 0 bytes: there is none.
  const hv_memory_slot& slot(uint32_t id) const { return slots_[id % HV_MAX_MEMORY_SLOTS]; }
  // Where `physical` lies in the RAM segment; false: there is no RAM.
  bool Find(uint64_t physical, uint64_t& offset) const;
  bool logs_writes() const;
  // Sets the bits of all pages that are logged.
  void MarkAll(std::atomic<uint64_t>* log) const;

 private:
  hv_memory_slot slots_[HV_MAX_MEMORY_SLOTS] = {};
};

}  // namespace hv::kvm
