#include "hv_kernel/kvm/late_watch.h"

#include <sys/prctl.h>

#include <algorithm>

#include "ring/wake.h"

namespace hv::kvm {

LateWatch::~LateWatch() {
  if (!thread_.joinable()) return;
  done_.store(true, std::memory_order_relaxed);  // ordered by the raise of the word
  ring::Waker(&word_, &asleep_).WakeAlways();
  thread_.join();
}

void LateWatch::Start() {
  if (!thread_.joinable()) thread_ = std::thread([this] { Watch(); });
}

void LateWatch::AddGate(EntryGate& gate) {
  std::lock_guard lock(mutex_);
  gates_.push_back(&gate);
}

void LateWatch::RemoveGate(EntryGate& gate) {
  std::lock_guard lock(mutex_);
  std::erase(gates_, &gate);
}

void LateWatch::Wake() { ring::Waker(&word_, &asleep_).Wake(); }

bool LateWatch::asleep() const {
  return std::atomic_ref<uint32_t>(const_cast<uint32_t&>(asleep_))
             .load(std::memory_order_relaxed) != 0;
}

void LateWatch::Watch() {
  prctl(PR_SET_NAME, "late watch");
  const ring::WakeWord word(&word_);
  for (;;) {
    const uint32_t seen = word.Look();
    if (done_.load(std::memory_order_relaxed)) return;
    if (inside_.load(std::memory_order_relaxed) == 0) {
      SleepUntilOneEnters(seen);
      continue;
    }
    word.WaitWhile(seen, kIntervalNs);
    looks_.fetch_add(1, std::memory_order_relaxed);
    if (!ring_.Empty()) KickOne();
  }
}

void LateWatch::SleepUntilOneEnters(uint32_t seen) {
  const std::atomic_ref<uint32_t> asleep(asleep_);
  asleep.store(1, std::memory_order_seq_cst);
  // With the fence in ring::Waker::Wake.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (inside_.load(std::memory_order_seq_cst) == 0) ring::WakeWord(&word_).WaitWhile(seen);
  asleep.store(0, std::memory_order_relaxed);
}

void LateWatch::KickOne() {
  std::lock_guard lock(mutex_);
  const bool kicked =
      std::any_of(gates_.begin(), gates_.end(), [](EntryGate* gate) { return gate->Kick(); });
  if (kicked) kicks_.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace hv::kvm
