// The pages a vCPU wrote, as KVM notes them (api.rst, 8.29 KVM_CAP_DIRTY_LOG_RING).
#pragma once

#include <linux/kvm.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

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
  // After an overflow KVM's place in the ring is ahead of ours by what it wrote over, and a full
  // ring would stay full. Gives back cells unseen: fewer than there are in use in a ring that KVM
  // calls full. REQUIRES: it has just done so.
  void SkipSome();

 private:
  DirtyRing(kvm_dirty_gfn* cells, uint32_t count) : cells_(cells), count_(count) {}

  kvm_dirty_gfn* cells_;
  uint32_t count_;     // a power of two
  uint32_t next_ = 0;  // counts on; the cell is next_ modulo count_
};

}  // namespace hv::kvm
