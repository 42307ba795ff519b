// Sleeping and waking across processes: views on the wake segment and the spin budget (abi/wake.h).
#pragma once

#include <cstdint>

#include "abi/wake.h"
#include "ring/shared_store.h"

namespace hv::ring {

// The owner's side: declare, look once more, sleep.
class Sleeper {
 public:
  explicit Sleeper(hv_wake* wake) : wake_(wake) {}

  // Declares the intent to sleep and returns the word to sleep on. After this the owner must look
  // at everything it waits for once more: a producer that published before the declaration may not
  // have seen it.
  uint32_t Declare();
  // Sleeps until woken, or for `timeout_ns`. Returns at once when somebody has woken since Declare.
  // Ends the declaration.
  void Sleep(uint32_t word, uint64_t timeout_ns);
  // Ends the declaration without sleeping.
  void Cancel();

 private:
  hv_wake* wake_;
};

// A peer's side: wake whoever declared itself asleep.
class Waker {
 public:
  explicit Waker(hv_wake* wake = nullptr)
      : Waker(wake == nullptr ? nullptr : &wake->word,
              wake == nullptr ? nullptr : &wake->sleeping) {}
  // For a word elsewhere that is woken in the same way while `wanted` is not 0.
  Waker(uint32_t* word, uint32_t* wanted) : word_(word), wanted_(wanted) {}

  // Call after publishing. One fence and one load when the peer is awake; a system call when not.
  void Wake();
  // As Wake, even if the peer has not declared itself asleep.
  void WakeAlways();

 private:
  uint32_t* word_;
  uint32_t* wanted_;
};

// Waits for a word that wakers raise, where another thread says whether it has to be
// (abi/vcpu_page.h, `kicks`).
class WakeWord {
 public:
  explicit WakeWord(uint32_t* word) : word_(word) {}

  // Look first, then at what the word stands for, then wait: a raise in between ends the wait.
  uint32_t Look() const;
  // Until the word is another than `seen`, however long; may return without reason.
  void WaitWhile(uint32_t seen) const;
  // As long as `timeout_ns` at most.
  void WaitWhile(uint32_t seen, uint64_t timeout_ns) const;

 private:
  uint32_t* word_;
};

// Which endpoints may spin, host-wide for one machine. Advisory.
class SpinBudget {
 public:
  SpinBudget(hv_spin_budget* shared, uint32_t endpoint) : shared_(shared), endpoint_(endpoint) {}

  // This endpoint has work: it takes the next slot unless it has one.
  void BecomeHot();
  // Whether it may spin while it waits.
  bool MaySpin() const;

 private:
  hv_spin_budget* shared_;  // null: nobody spins
  uint32_t endpoint_;
};

}  // namespace hv::ring
