// Bounds how late a late write can be: a guest that writes one and then leaves for nothing would
// keep it for ever. While a vCPU is inside, a thread looks at the ring every kInterval; where
// something lies there, it kicks one vCPU out, which serves it. While none is inside, it sleeps.
//
//   vCPU thread                         watch
//   -----------                         -----
//   inside += 1          (seq_cst)      asleep = 1           (seq_cst)
//   full barrier                        full barrier
//   asleep?   yes: word += 1, wake      inside?  no: wait while the word is what it was
//   KVM_RUN                                      yes: asleep = 0, look every kInterval
//
// Either the vCPU thread sees the watch asleep, or the watch sees it inside. A watch that has been
// woken looks kInterval later, and not at all if the vCPU has gone by then.
//
// Nothing is lost between the look at the ring and the kick: a vCPU that left meanwhile has served
// the ring on its way out, and what was written later is seen by the next look.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "hv_kernel/kvm/entry_gate.h"
#include "hv_kernel/kvm/late_ring.h"

namespace hv::kvm {

class LateWatch {
 public:
  static constexpr uint64_t kIntervalNs = 5'000'000;

  // `inside` counts the vCPUs that may have written what lies in `ring`. Both outlive it.
  LateWatch(const LateRing& ring, const std::atomic<uint32_t>& inside)
      : ring_(ring), inside_(inside) {}
  ~LateWatch();
  LateWatch(const LateWatch&) = delete;
  LateWatch& operator=(const LateWatch&) = delete;

  // Starts the thread, once.
  void Start();
  // The gates of the vCPUs, while they live.
  void AddGate(EntryGate& gate);
  void RemoveGate(EntryGate& gate);

  // A vCPU thread, after it has counted itself inside.
  void Wake();

  // Any thread.
  bool asleep() const;
  uint64_t looks() const { return looks_.load(std::memory_order_relaxed); }
  uint64_t kicks() const { return kicks_.load(std::memory_order_relaxed); }

 private:
  void Watch();
  void SleepUntilOneEnters(uint32_t seen);
  void KickOne();

  const LateRing& ring_;
  const std::atomic<uint32_t>& inside_;
  std::mutex mutex_;
  std::vector<EntryGate*> gates_;
  uint32_t word_ = 0;    // a futex, raised by Wake
  uint32_t asleep_ = 0;  // not 0: Wake has to raise the word
  std::atomic<bool> done_{false};
  std::atomic<uint64_t> looks_{0};
  std::atomic<uint64_t> kicks_{0};
  std::thread thread_;
};

}  // namespace hv::kvm
