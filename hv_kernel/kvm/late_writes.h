// The late writes of one machine: who may have written what lies in KVM's ring, and who serves it.
//
// Invariants:
// 1. A vCPU counts itself inside before KVM_RUN, and out when it has come out and the ring has been
//    empty once since. So no vCPU asks anybody for anything while a write of its own is in the
//    ring.
// 2. One thread at a time serves the ring, under a lock, and gives cells back only when they have
//    been served: who finds the ring empty finds all served, who finds it not waits at the lock.
// 3. Who serves looks at the count after he has looked where the ring ends. Whoever wrote what he
//    takes has counted himself in before, and not out: if he alone is counted, it is all his.
//
// Nobody who is out of the guest has anything in the ring, so that a paused machine has it empty.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

#include "absl/status/status.h"
#include "hv_kernel/engine.h"
#include "hv_kernel/kvm/entry_gate.h"
#include "hv_kernel/kvm/late_ring.h"
#include "hv_kernel/kvm/late_watch.h"

namespace hv::kvm {

class LateWrites {
 public:
  LateWrites() = default;
  LateWrites(const LateWrites&) = delete;
  LateWrites& operator=(const LateWrites&) = delete;

  // Maps the ring, which every vCPU's descriptor shows, by that of the first.
  absl::Status Map(int vcpu_fd);
  // The same with a page that KVM does not know. The page outlives this.
  void Attach(LateRingPage* page) { ring_.Attach(page); }
  // Whether KVM may put anything in the ring. REQUIRES: no vCPU is inside.
  void SetActive(bool active);
  void AddGate(EntryGate& gate) { watch_.AddGate(gate); }
  void RemoveGate(EntryGate& gate) { watch_.RemoveGate(gate); }

  // --- A vCPU thread, before KVM_RUN and after it.
  void Enter();
  // REQUIRES: `sink` is not null if the guest has written.
  void Leave(LateWriteSink* sink);

  // --- Any thread.
  uint64_t served() const { return served_.load(std::memory_order_relaxed); }
  uint64_t malformed() const { return ring_.malformed(); }
  const LateWatch& watch() const { return watch_; }

 private:
  struct Unmap {
    void operator()(LateRingPage* page) const;
  };

  void Serve(LateWriteSink& sink);

  std::unique_ptr<LateRingPage, Unmap> mapped_;
  bool active_ = false;
  LateRing ring_;
  std::atomic<uint32_t> inside_{0};
  std::mutex mutex_;  // who serves
  std::atomic<uint64_t> served_{0};
  LateWatch watch_{ring_, inside_};  // ends before what it looks at
};

}  // namespace hv::kvm
