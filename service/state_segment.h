// The state segment as the runtime sees it: two copies, a commit word, progress counters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "abi/fault.h"
#include "abi/state.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/check.h"
#include "ring/shared_store.h"

namespace hv::service {

// Invariants: the current copy is never written; the spare one is nobody's but the process whose
// epoch the header names. One release store of `commit` makes the spare copy current.
class StateSegment {
 public:
  // Opens a formatted segment for a core whose state has `state_bytes` in `layout`. The first to
  // open a segment enters its size and layout; later ones must agree with them.
  // FailedPrecondition: another ABI major, layout, size, role or epoch; says which.
  static absl::StatusOr<StateSegment> Open(std::span<std::byte> segment, uint32_t role,
                                           uint32_t epoch, size_t state_bytes, uint32_t layout);

  // Writes the header of a new segment into zeroed memory. hvd does this; it need not know the size
  // of a service's state, only give a segment large enough.
  static void Format(std::span<std::byte> segment, uint32_t role, uint32_t epoch);

  // Whether what a predecessor left can be gone on with: its outbox must name places in rings of
  // `channels` channels. FailedPrecondition names the entry that cannot be.
  absl::Status CheckCurrent(size_t channels) const;

  bool fresh() const { return commit() == 0; }
  uint64_t commit() const { return ring::LoadAcquire(header_->commit); }

  const hv_state_copy& current() const { return *Copy(commit() & 1); }
  hv_state_copy& spare() { return *Copy((commit() + 1) & 1); }
  const void* current_state() const { return &current() + 1; }
  void* spare_state() { return &spare() + 1; }

  // Makes the spare copy equal to the current one, outbox apart, as the ground for a step.
  // `channels`: how many positions are in use.
  void PrepareSpare(size_t channels);

  // The one store that commits a step.
  template <typename Stores>
  void Commit(Stores& stores) {
    // Pairs with the acquire load in commit(): a successor sees the whole copy.
    ring::StoreRelease(header_->commit, header_->commit + 1, stores);
    // The next step's stores go to the copy that was current until now. None of them may come
    // before the commit, or a death in between would leave a torn copy in force. No instruction on
    // x86-64, where stores become visible in order; it holds the compiler.
    std::atomic_thread_fence(std::memory_order_release);
  }

  hv_fault_table& faults();
  hv_state_header& header() { return *header_; }
  const hv_state_header& header() const { return *header_; }

 private:
  StateSegment(hv_state_header* header, size_t state_bytes)
      : header_(header), state_bytes_(state_bytes) {}

  hv_state_copy* Copy(uint64_t which) const;

  hv_state_header* header_;
  size_t state_bytes_;
};

}  // namespace hv::service
