// The pages a vCPU wrote, as KVM notes them (api.rst, 8.29 KVM_CAP_DIRTY_LOG_RING).
#pragma once

#include <linux/kvm.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "hv_kernel/kvm/memory_slots.h"

namespace hv::kvm {

// One a vCPU. One thread at a time.
class DirtyRing {
 public:
  // `bytes` as it was given to KVM_CAP_DIRTY_LOG_RING.
  static absl::StatusOr<DirtyRing> Map(int vcpu_fd, uint32_t bytes);
  DirtyRing(DirtyRing&& other) noexcept;
  DirtyRing& operator=(DirtyRing&&) = delete;
  ~DirtyRing();

  // Sets the bit of each page noted since the last call and gives its cell back. A page is noted
  // again only after KVM_RESET_DIRTY_RINGS. Cheap when there is none. False: the ring was full to
  // the last cell, and KVM may have dropped pages. It keeps cells free so that this cannot be, but
  // one that emulates ring 0 was seen to run on for longer than they last.
  [[nodiscard]] bool Collect(const MemorySlots& slots, std::atomic<uint64_t>* log);
  // As Collect, of a ring that KVM calls full, so that it will not be full for ever; `reset` is
  // KVM_RESET_DIRTY_RINGS. A KVM that has written over cells counts them as in use and shows
  // nothing in them, perhaps elsewhere than we look. So where it calls the ring full again and
  // there is nothing new to be seen, cells are given back unseen: fewer than it has in use. False
  // then too.
  [[nodiscard]] bool MakeRoom(const MemorySlots& slots, std::atomic<uint64_t>* log,
                              absl::FunctionRef<void()> reset);

 private:
  DirtyRing(kvm_dirty_gfn* cells, uint32_t count) : cells_(cells), count_(count) {}

  std::atomic_ref<uint32_t> Flags(uint32_t number) {
    return std::atomic_ref<uint32_t>(cells_[number & (count_ - 1)].flags);
  }
  // How many cells there were.
  uint32_t CollectCells(const MemorySlots& slots, std::atomic<uint64_t>* log);
  void GiveBack(uint32_t number);
  // Has KVM take this cell back, if it is the one that it takes next.
  bool IsTaken(uint32_t number, absl::FunctionRef<void()> reset);

  kvm_dirty_gfn* cells_;
  uint32_t count_;        // a power of two
  uint32_t next_ = 0;     // counts on; the cell is next_ modulo count_
  uint32_t full_at_ = 0;  // next_ when room was last made
};

}  // namespace hv::kvm
