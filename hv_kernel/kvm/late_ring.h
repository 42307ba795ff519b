// The ring in which KVM keeps late writes (api.rst, 4.116 KVM_(UN)REGISTER_COALESCED_MMIO): one a
// machine, filled by KVM for all its vCPUs, emptied by whoever of them is out of the guest. KVM
// says of a write where, how wide and what, but not whose.
#pragma once

#include <linux/kvm.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "hv_kernel/engine.h"

namespace hv::kvm {

// kvm_coalesced_mmio_ring with its cells, of which KVM has as many as fit a page.
struct LateRingPage {
  static constexpr uint32_t kCells = (4096 - 2 * sizeof(uint32_t)) / sizeof(kvm_coalesced_mmio);

  uint32_t first;  // ours: the cell after the last one given back
  uint32_t last;   // KVM's: the cell after the last one written. Equal to `first`: none is
  kvm_coalesced_mmio cells[kCells];
};
static_assert(offsetof(LateRingPage, cells) == 8 && LateRingPage::kCells == 170);
static_assert(sizeof(LateRingPage) <= 4096);

class LateRing {
 public:
  // What a cell may stand for: 8 bytes at an odd address are four aligned accesses.
  static constexpr size_t kMostAccesses = 4;

  // Before anything else. The page outlives the ring.
  void Attach(LateRingPage* page) { page_ = page; }

  // Any thread. True: what lay in the ring before the call has been given back, and who gave it
  // back has stored all it did before.
  bool Empty() const;

  // --- One thread at a time.
  // Where the cells end that are in the ring now. An index that KVM cannot have written ends them
  // where they begin.
  uint32_t End() const;
  uint32_t next() const { return next_; }
  // Takes cells before `end` as accesses, as the contract has them, until `to` may not have room
  // for another: their number. A cell that makes no sense is passed over and counted. REQUIRES:
  // to.size() >= kMostAccesses.
  size_t Take(uint32_t end, std::span<Exit> to);
  // Lets KVM use again what has been taken.
  void GiveBack();

  uint64_t malformed() const { return malformed_.load(std::memory_order_relaxed); }

 private:
  size_t Decode(kvm_coalesced_mmio cell, std::span<Exit> to);

  LateRingPage* page_ = nullptr;
  uint32_t next_ = 0;                    // the cell to take next
  std::atomic<uint32_t> given_back_{0};  // as page_->first, which is not read: it is shared
  std::atomic<uint64_t> malformed_{0};
};

}  // namespace hv::kvm
