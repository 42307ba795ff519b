// Guest-physical addresses to host addresses: the memory slots, looked up fast.
#pragma once

#include <cstdint>

#include "abi/route_table.h"

namespace hv::soft {

// What lies at a physical page. `host` is null where there is no RAM.
struct PhysicalPage {
  uint8_t* host = nullptr;
  uint64_t ram_page = 0;  // index of the page in the RAM segment
  bool writable = false;
  bool log_dirty = false;
};

// Immutable while any vCPU runs. Shared by the vCPUs of an engine.
class PhysicalMemory {
 public:
  // The slots were validated by whoever calls (SoftEngine::SetMemory).
  void Set(const hv_memory_slot* slots, uint32_t count, uint8_t* ram, uint64_t* dirty_log) {
    count_ = count < HV_MAX_MEMORY_SLOTS ? count : HV_MAX_MEMORY_SLOTS;
    for (uint32_t i = 0; i < count_; ++i) slots_[i] = slots[i];
    ram_ = ram;
    dirty_log_ = dirty_log;
  }

  PhysicalPage Find(uint64_t physical) const {
    for (uint32_t i = 0; i < count_; ++i) {
      const hv_memory_slot& slot = slots_[i];
      const uint64_t into = physical - slot.address;
      if (into >= slot.bytes) continue;
      const uint64_t offset = slot.offset + (into & ~uint64_t{4095});
      return {ram_ + offset, offset / 4096, (slot.flags & HV_MEMORY_READ_ONLY) == 0,
              (slot.flags & HV_MEMORY_LOG_DIRTY) != 0};
    }
    return {};
  }

  void MarkDirty(uint64_t ram_page) const {
    if (dirty_log_ == nullptr) return;
    // Relaxed: the log is taken by exchange while no vCPU writes, or the page is reported next time.
    __atomic_fetch_or(&dirty_log_[ram_page / 64], uint64_t{1} << (ram_page % 64), __ATOMIC_RELAXED);
  }

 private:
  hv_memory_slot slots_[HV_MAX_MEMORY_SLOTS] = {};
  uint32_t count_ = 0;
  uint8_t* ram_ = nullptr;
  uint64_t* dirty_log_ = nullptr;
};

}  // namespace hv::soft
