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
  // Whether `slots` put every page of RAM where it is now; rights and logging may differ, and so
  // may how ranges are cut into slots.
  bool SamePlaces(const hv_memory_slot* slots, uint32_t count) const {
    return Covers(slots, count, slots_, count_) && Covers(slots_, count_, slots, count);
  }

  // The slots were validated by whoever calls (SoftEngine::SetMemory).
  void Set(const hv_memory_slot* slots, uint32_t count, uint8_t* ram, uint64_t* dirty_log) {
    count_ = count < HV_MAX_MEMORY_SLOTS ? count : HV_MAX_MEMORY_SLOTS;
    for (uint32_t i = 0; i < count_; ++i) slots_[i] = slots[i];
    ram_ = ram;
    dirty_log_ = dirty_log;
  }

  PhysicalPage Find(uint64_t physical) const {
    const hv_memory_slot* slot = FindSlot(slots_, count_, physical);
    if (slot == nullptr) return {};
    const uint64_t offset = slot->offset + ((physical - slot->address) & ~uint64_t{4095});
    return {ram_ + offset, offset / 4096, (slot->flags & HV_MEMORY_READ_ONLY) == 0,
            (slot->flags & HV_MEMORY_LOG_DIRTY) != 0};
  }

  void MarkDirty(uint64_t ram_page) const {
    if (dirty_log_ == nullptr) return;
    // Relaxed: who clears bits has the TLBs flushed (Engine::SetMemory) before it looks at the
    // pages, and that orders these stores and the guest's.
    __atomic_fetch_or(&dirty_log_[ram_page / 64], uint64_t{1} << (ram_page % 64), __ATOMIC_RELAXED);
  }

 private:
  // Whether each page of the slots `of` lies at the same place in the slots `in`.
  static bool Covers(const hv_memory_slot* in, uint32_t in_count, const hv_memory_slot* of,
                     uint32_t of_count) {
    for (uint32_t i = 0; i < of_count; ++i) {
      for (uint64_t done = 0; done < of[i].bytes;) {
        const hv_memory_slot* holder = FindSlot(in, in_count, of[i].address + done);
        if (holder == nullptr) return false;
        const uint64_t into = of[i].address + done - holder->address;
        if (holder->offset + into != of[i].offset + done) return false;
        done += holder->bytes - into;
      }
    }
    return true;
  }

  static const hv_memory_slot* FindSlot(const hv_memory_slot* slots, uint32_t count,
                                        uint64_t physical) {
    for (uint32_t i = 0; i < count; ++i) {
      if (physical - slots[i].address < slots[i].bytes) return &slots[i];
    }
    return nullptr;
  }

  hv_memory_slot slots_[HV_MAX_MEMORY_SLOTS] = {};
  uint32_t count_ = 0;
  uint8_t* ram_ = nullptr;
  uint64_t* dirty_log_ = nullptr;
};

}  // namespace hv::soft
