#include "ring/wake.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

namespace hv::ring {
namespace {

constexpr uint64_t kNsPerSecond = 1'000'000'000;

void FutexWait(uint32_t* word, uint32_t expected, uint64_t timeout_ns) {
  const timespec timeout{.tv_sec = static_cast<time_t>(timeout_ns / kNsPerSecond),
                         .tv_nsec = static_cast<long>(timeout_ns % kNsPerSecond)};
  // Any return is fine: the caller looks at its rings again.
  syscall(SYS_futex, word, FUTEX_WAIT, expected, &timeout, nullptr, 0);
}

void FutexWake(uint32_t* word) { syscall(SYS_futex, word, FUTEX_WAKE, 1, nullptr, nullptr, 0); }

}  // namespace

uint32_t Sleeper::Declare() {
  const uint32_t word = LoadAcquire(wake_->word);  // pairs with the increment in WakeAlways
  std::atomic_ref<uint32_t>(wake_->sleeping).store(1, std::memory_order_seq_cst);
  // With the fence in Waker::Wake: either the owner's second look sees what was published, or the
  // producer sees sleeping = 1. TSan does not model fences, but every access here is atomic.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return word;
}

void Sleeper::Sleep(uint32_t word, uint64_t timeout_ns) {
  FutexWait(&wake_->word, word, timeout_ns);
  Cancel();
}

void Sleeper::Cancel() {
  std::atomic_ref<uint32_t>(wake_->sleeping).store(0, std::memory_order_relaxed);
}

void Waker::Wake() {
  if (word_ == nullptr) return;
  std::atomic_thread_fence(std::memory_order_seq_cst);  // see Sleeper::Declare
  if (LoadRelaxed(*wanted_) != 0) WakeAlways();
}

void Waker::WakeAlways() {
  if (word_ == nullptr) return;
  // Pairs with the acquire load in Declare and in Look.
  std::atomic_ref<uint32_t>(*word_).fetch_add(1, std::memory_order_release);
  FutexWake(word_);
}

uint32_t WakeWord::Look() const {
  return LoadAcquire(*word_);  // pairs with the increment in WakeAlways
}

void WakeWord::WaitWhile(uint32_t seen) const {
  syscall(SYS_futex, word_, FUTEX_WAIT, seen, nullptr, nullptr, 0);
}

void WakeWord::WaitWhile(uint32_t seen, uint64_t timeout_ns) const {
  FutexWait(word_, seen, timeout_ns);
}

void SpinBudget::BecomeHot() {
  if (shared_ == nullptr || MaySpin()) return;
  const uint32_t slots = std::min(LoadRelaxed(shared_->slots), HV_SPIN_SLOTS);
  if (slots == 0) return;
  const uint32_t next =
      std::atomic_ref<uint32_t>(shared_->next).fetch_add(1, std::memory_order_relaxed);
  std::atomic_ref<uint32_t>(shared_->hot[next % slots]).store(endpoint_, std::memory_order_relaxed);
}

bool SpinBudget::MaySpin() const {
  if (shared_ == nullptr) return false;
  const uint32_t slots = std::min(LoadRelaxed(shared_->slots), HV_SPIN_SLOTS);
  for (uint32_t i = 0; i < slots; ++i) {
    if (LoadRelaxed(shared_->hot[i]) == endpoint_) return true;
  }
  return false;
}

}  // namespace hv::ring
