#include "hv_kernel/soft/host_fault.h"

#include <asm/prctl.h>
#include <elf.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <mutex>

#include "absl/strings/str_cat.h"

namespace hv::soft {

namespace internal {
constinit thread_local FaultContext fault_context;
}  // namespace internal

namespace {

using internal::fault_context;

constexpr int kSignals[] = {SIGFPE, SIGSEGV, SIGBUS, SIGILL};
constexpr size_t kSignalStackBytes = 64 * 1024;
constexpr unsigned long kHwcap2Fsgsbase = 1u << 1;

LeaveSite& HostFaultSite() {
  static LeaveSite site{.kind = LeaveKind::kHostFault};
  return site;
}

struct sigaction previous[NSIG];

// Async-signal-safe: touches the thread's context and the interrupted registers alone.
void OnSignal(int signal, siginfo_t* info, void* raw) {
  if (info->si_code <= 0) {
    // Somebody has sent it, and no instruction is the reason (sigaction(2)): it takes its course
    // when this returns.
    sigaction(signal, &previous[signal], nullptr);
    raise(signal);
    return;
  }
  auto& registers = static_cast<ucontext_t*>(raw)->uc_mcontext.gregs;
  const auto pc = static_cast<uint64_t>(registers[REG_RIP]);
  if (fault_context.cpu == nullptr || pc < fault_context.code_begin ||
      pc >= fault_context.code_end) {
    // Our own bug: let the signal take its course when the instruction is executed again.
    sigaction(signal, &previous[signal], nullptr);
    return;
  }
  fault_context.cpu->fault_pc = pc;
  fault_context.cpu->fault_signal = signal;
  fault_context.cpu->fault_trap = static_cast<int>(registers[REG_TRAPNO]);
  registers[REG_R11] = static_cast<greg_t>(reinterpret_cast<uint64_t>(&HostFaultSite()));
  registers[REG_RIP] = static_cast<greg_t>(fault_context.leave);
}

void SetGsBase(uint64_t base) {
  if ((getauxval(AT_HWCAP2) & kHwcap2Fsgsbase) != 0) {
    asm volatile("wrgsbase %0" : : "r"(base));
  } else {
    syscall(SYS_arch_prctl, ARCH_SET_GS, base);
  }
}

// A signal must never be delivered on a stack the guest could have a say in, nor on one too small.
void GiveSignalStack() {
  thread_local std::unique_ptr<std::byte[]> memory;
  if (memory != nullptr) return;
  memory = std::make_unique<std::byte[]>(kSignalStackBytes);
  const stack_t stack{.ss_sp = memory.get(), .ss_flags = 0, .ss_size = kSignalStackBytes};
  sigaltstack(&stack, nullptr);
}

}  // namespace

absl::Status InstallFaultHandlers() {
  static const int error = [] {
    HostFaultSite();
    struct sigaction action {};
    action.sa_sigaction = OnSignal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    for (int signal : kSignals) {
      if (sigaction(signal, &action, &previous[signal]) != 0) return errno;
    }
    return 0;
  }();
  if (error == 0) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("soft engine: sigaction: ", std::strerror(error)));
}

void BindThread(const FaultContext& context) {
  GiveSignalStack();
  fault_context = context;
  SetGsBase(reinterpret_cast<uint64_t>(context.cpu));
}

Vector VectorOfSignal(int signal, int trap) {
  switch (signal) {
    case SIGFPE:
      // An instruction on MMX registers may raise either: what x87 left pending comes first.
      if (trap == static_cast<int>(Vector::kFloatingPoint)) return Vector::kFloatingPoint;
      if (trap == static_cast<int>(Vector::kSimd)) return Vector::kSimd;
      return Vector::kDivideError;
    case SIGILL: return Vector::kInvalidOpcode;
    default: return Vector::kGeneralProtection;
  }
}

}  // namespace hv::soft
