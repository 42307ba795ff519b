#include "hv_kernel/soft/held_run.h"

#include <sys/syscall.h>
#include <unistd.h>

namespace hv::soft {

ExitReason RunHeld(VcpuEngine& vcpu, uint64_t answer, int limit,
                   void (*between)(VcpuEngine& vcpu, const Exit& exit)) {
  for (;;) {
    const Exit exit = vcpu.RunHolding();
    between(vcpu, exit);
    if (--limit == 0) return exit.reason;
    switch (exit.reason) {
      case ExitReason::kPortRead:
      case ExitReason::kMmioRead:
      case ExitReason::kMsrRead: vcpu.CompleteRead(answer); break;
      case ExitReason::kMsrWrite:
      case ExitReason::kCr8Write: vcpu.CompleteWrite(); break;
      case ExitReason::kPortWrite:
      case ExitReason::kMmioWrite:
      case ExitReason::kAttention: break;
      default: return exit.reason;
    }
  }
}

Ymm CurrentYmm3() {
  Ymm value;
  asm volatile("vmovups %%ymm3, %0" : "=m"(value));
  return value;
}

void StoreHeld(std::atomic<uint32_t>& word, uint32_t value) { word.store(value); }

void SignalSelf(int signal) {
  syscall(SYS_tgkill, syscall(SYS_getpid), syscall(SYS_gettid), signal);
}

}  // namespace hv::soft
