#include "hv_kernel/kvm/entry_gate.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace hv::kvm {
namespace {

constexpr int kKickSignal = SIGUSR1;

// Of the vCPU that this thread runs; null in all others.
thread_local uint8_t* immediate_exit_of_thread = nullptr;

void SetImmediateExit(uint8_t& flag, uint8_t value) {
  // Between a thread and its signal handler; KVM reads it when KVM_RUN begins.
  std::atomic_ref<uint8_t>(flag).store(value, std::memory_order_relaxed);
}

void OnKick(int) {
  if (immediate_exit_of_thread != nullptr) SetImmediateExit(*immediate_exit_of_thread, 1);
}

}  // namespace

absl::Status EntryGate::InstallHandler() {
  struct sigaction action {};
  action.sa_handler = OnKick;
  // KVM_RUN ends whatever the flags say; other calls need not know.
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  if (sigaction(kKickSignal, &action, nullptr) == 0) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("engine kvm: no handler for kicks: ", strerror(errno)));
}

EntryGate::EntryGate(kvm_run& run, const std::atomic<uint32_t>& attention,
                     std::atomic<uint32_t>* inside)
    : run_(run), attention_(attention), inside_(inside != nullptr ? *inside : own_inside_) {}

void EntryGate::BindThread() {
  thread_.store(static_cast<pid_t>(syscall(SYS_gettid)), std::memory_order_relaxed);
  immediate_exit_of_thread = &run_.immediate_exit;
}

bool EntryGate::Open() {
  if (immediate_exit_of_thread != &run_.immediate_exit) BindThread();
  SetImmediateExit(run_.immediate_exit, 0);
  // With the barrier of who asks: the last sees what the first has stored. Orders the thread's id
  // and the flag above for it as well.
  inside_.exchange(1, std::memory_order_seq_cst);
  // Pairs with the release store of who asks.
  if (attention_.load(std::memory_order_acquire) == 0) return true;
  Close();
  return false;
}

void EntryGate::Close() { inside_.store(0, std::memory_order_relaxed); }

void EntryGate::Kick() {
  // Changes nothing, but is a full barrier between the caller's store and this look.
  if (inside_.fetch_or(0, std::memory_order_seq_cst) == 0) return;
  syscall(SYS_tgkill, getpid(), thread_.load(std::memory_order_relaxed), kKickSignal);
}

}  // namespace hv::kvm
