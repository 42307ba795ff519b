// The path of an exit: into the guest and out of it, and the answers.
#include "hv_kernel/kvm/kvm_vcpu.h"

#include <cerrno>

#include "base/check.h"
#include "hv_kernel/kvm/exit_decoder.h"
#include "hv_kernel/kvm/ioctl.h"
#include "hv_kernel/kvm/msr_filter.h"
#include "hv_kernel/msr.h"

namespace hv::kvm {
namespace {

bool WantsAnswer(ExitReason reason) {
  switch (reason) {
    case ExitReason::kPortRead:
    case ExitReason::kMmioRead:
    case ExitReason::kMsrRead:
    case ExitReason::kMsrWrite: return true;
    default: return false;
  }
}

}  // namespace

Exit KvmVcpu::Run() {
  const Exit exit = NextExit();
  last_ = exit.reason;
  answer_due_ = WantsAnswer(exit.reason);
  return exit;
}

Exit KvmVcpu::NextExit() {
  if (transfer_.left()) return transfer_.Next();
  for (;;) {
    if (!exit_waits_) {
      if (const auto stayed = Enter()) return *stayed;
    }
    if (const auto exit = TakeExit()) return *exit;
  }
}

// KVM_RUN; what the guest wrote late has been served when it returns. 0 or errno.
int KvmVcpu::EnterKvm() const {
  vm_.late_writes.Enter();
  const int error = ioctl(fd_.get(), KVM_RUN, 0) == 0 ? 0 : errno;
  gate_.Close();
  vm_.late_writes.Leave(config_.late_writes);
  return error;
}

// Nothing: the run page holds an exit.
std::optional<Exit> KvmVcpu::Enter() {
  if (shut_down_) return Exit{.reason = ExitReason::kShutdown};
  if (!gate_.Open()) return Exit{.reason = ExitReason::kAttention};
  halted_ = false;
  const int error = EnterKvm();
  entries_.store(entries_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  unsettled_ = false;
  if (vm_.logs_writes) CollectDirty();
  if (error != 0 && error != EINTR) {
    failure_ = error;
    return Exit{.reason = ExitReason::kUnsupported};
  }
  if (error != 0) run_->exit_reason = KVM_EXIT_INTR;  // not said where it was immediate_exit
  exit_waits_ = true;
  return std::nullopt;
}

// Nothing: the exit was the engine's own affair.
std::optional<Exit> KvmVcpu::TakeExit() {
  // KVM tells of a lowered CR8 alone. Whoever chooses what is taken next must know it in any case,
  // and before anything else that the guest did later.
  if (run_->cr8 != cr8_) {
    cr8_ = run_->cr8;
    return Exit{.reason = ExitReason::kCr8Write, .width = 8, .data = cr8_};
  }
  exit_waits_ = false;
  const DecodedExit decoded = DecodeExit(*run_);
  switch (decoded.kind) {
    case ExitKind::kTransfer:
      unsettled_ = true;
      transfer_ = decoded.transfer;
      return transfer_.Next();
    case ExitKind::kMsrRead: return TakeMsr(/*write=*/false);
    case ExitKind::kMsrWrite: return TakeMsr(/*write=*/true);
    case ExitKind::kPriority: return std::nullopt;  // told above
    case ExitKind::kDirtyRingFull:
      NoteCollected(ring_.MakeRoom(vm_.slots, vm_.dirty_log, [this] {
        CHECK(ioctl(vm_.fd.get(), KVM_RESET_DIRTY_RINGS, 0) >= 0);
      }));
      return std::nullopt;
    case ExitKind::kReason: break;
  }
  halted_ = decoded.reason == ExitReason::kHalt;
  shut_down_ = decoded.reason == ExitReason::kShutdown;
  return Exit{.reason = decoded.reason};
}

std::optional<Exit> KvmVcpu::TakeMsr(bool write) {
  auto& msr = run_->msr;
  unsettled_ = true;
  if (!KeptByEngine(msr.index)) {
    return Exit{.reason = write ? ExitReason::kMsrWrite : ExitReason::kMsrRead,
                .width = 8,
                .address = msr.index,
                .data = write ? msr.data : 0};
  }
  const bool adjust = msr.index == kTscAdjust;
  if (write && (adjust || msr.index == kTsc)) {
    // The counter and its adjustment move together (SDM vol. 3, 17.17.3).
    const uint64_t by = msr.data - (adjust ? tsc_adjust_ : GuestTsc());
    tsc_offset_ += by;
    tsc_adjust_ += by;
    CHECK(SetTscOffset().ok());
    return Exit{
        .reason = ExitReason::kMsrWrite, .width = 8, .address = kTscAdjust, .data = tsc_adjust_};
  }
  // What is left of those is a value that KVM does not accept.
  msr.error = adjust ? 0 : 1;
  msr.data = tsc_adjust_;
  return std::nullopt;
}

void KvmVcpu::CompleteRead(uint64_t value) {
  answer_due_ = false;
  if (last_ != ExitReason::kMsrRead) return transfer_.Answer(value);
  run_->msr.data = value;
  run_->msr.error = 0;
}

void KvmVcpu::CompleteWrite() {
  answer_due_ = false;
  if (last_ == ExitReason::kMsrWrite) run_->msr.error = 0;
}

void KvmVcpu::CompleteWithFault() {
  answer_due_ = false;
  // A write of CR8 has retired by the time it is told.
  if (last_ != ExitReason::kCr8Write) run_->msr.error = 1;
}

// Has KVM finish the instruction that was answered. False: that takes another answer, or one is
// due.
bool KvmVcpu::Settle() const {
  if (transfer_.left() || exit_waits_ || answer_due_) return false;
  if (!unsettled_) return true;
  gate_.KeepOut();
  exit_waits_ = EnterKvm() == 0;
  unsettled_ = false;
  return !exit_waits_;
}

bool KvmVcpu::CanTakeInterrupt() const {
  return Settle() && run_->if_flag != 0 && run_->ready_for_interrupt_injection != 0;
}

void KvmVcpu::InjectInterrupt(uint8_t vector) {
  kvm_interrupt interrupt{.irq = vector};
  CHECK(ioctl(fd_.get(), KVM_INTERRUPT, &interrupt) == 0);
  unsettled_ = true;
}

void KvmVcpu::InjectNmi() {
  CHECK(ioctl(fd_.get(), KVM_NMI, 0) == 0);
  unsettled_ = true;
}

void KvmVcpu::RequestInterruptWindow(bool on) { run_->request_interrupt_window = on ? 1 : 0; }

}  // namespace hv::kvm
