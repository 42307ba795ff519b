// What memory accesses must know of translated code: whether any was made from the page they write.
#pragma once

#include <atomic>
#include <cstdint>

namespace hv::soft {

// For each page of RAM the number of vCPUs that hold code translated from it. While that is not
// zero no TLB has a write tag for the page, and every store to it is told to all of them
// (code_exchange.h).
//
// A vCPU that translates counts itself in before it reads the code; one that stores looks at the
// count after its store, one that enters a write tag looks after that. Both sides put a full fence
// in between, so that at least one of the two sees the other. With one vCPU program order does.
class CodeTracker {
 public:
  // Zeroes, one for each page of RAM. `shared`: more than one vCPU looks at them.
  void Use(uint8_t* holders, uint64_t pages) {
    holders_ = holders;
    pages_ = pages;
  }
  void SetShared(bool shared) { shared_ = shared; }

  // After what the caller wrote before.
  bool HasCode(uint64_t ram_page) const {
    if (shared_) std::atomic_thread_fence(std::memory_order_seq_cst);
    return ram_page < pages_ && __atomic_load_n(&holders_[ram_page], __ATOMIC_RELAXED) != 0;
  }
  // Returns how many there were before.
  uint32_t AddHolder(uint64_t ram_page) {
    return ram_page < pages_ ? __atomic_fetch_add(&holders_[ram_page], 1, __ATOMIC_SEQ_CST) : 0;
  }
  void RemoveHolder(uint64_t ram_page) {
    if (ram_page < pages_) __atomic_fetch_sub(&holders_[ram_page], 1, __ATOMIC_SEQ_CST);
  }

 private:
  uint8_t* holders_ = nullptr;
  uint64_t pages_ = 0;
  bool shared_ = false;
};

}  // namespace hv::soft
