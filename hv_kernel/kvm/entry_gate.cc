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

// To end KVM_RUN and other calls alike is all that the signal is for: ignored, it would end none.
void OnKick(int) {}

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

bool EntryGate::Open() {
  thread_local const auto id = static_cast<pid_t>(syscall(SYS_gettid));
  thread_.store(id, std::memory_order_relaxed);
  SetImmediateExit(0);
  // With the barrier of who asks: the last sees what the first has stored. Orders the thread's id
  // and the flag above for it as well.
  inside_.exchange(1, std::memory_order_seq_cst);
  // Pairs with the release store of who asks.
  if (attention_.load(std::memory_order_acquire) == 0) return true;
  Close();
  return false;
}

void EntryGate::Close() const { inside_.store(0, std::memory_order_relaxed); }

bool EntryGate::Kick() {
  // Changes nothing, but is a full barrier between the caller's store and this look.
  if (inside_.fetch_or(0, std::memory_order_seq_cst) == 0) return false;
  SetImmediateExit(1);  // before the signal, which may be handled short of KVM_RUN
  syscall(SYS_tgkill, getpid(), thread_.load(std::memory_order_relaxed), kKickSignal);
  return true;
}

void EntryGate::SetImmediateExit(uint8_t value) const {
  // For the kernel, which sees it at the latest with the signal sent after it.
  std::atomic_ref<uint8_t>(run_.immediate_exit).store(value, std::memory_order_relaxed);
}

}  // namespace hv::kvm
