// PAUSE. A loop of them waits for another vCPU, and that one perhaps for this one's core (what
// Intel SDM vol. 3, 25.1.3 calls PAUSE-loop exiting).
#include <sys/syscall.h>

#include "hv_kernel/soft/system/instructions.h"

namespace hv::soft {
namespace {

constexpr uint32_t kPausesOfALoop = 64;

// Touches no vector register, as the kernel keeps them.
void GiveCoreAway() {
  long result = SYS_sched_yield;
  asm volatile("syscall" : "+a"(result) : : "rcx", "r11", "memory");
}

}  // namespace

Outcome Pause(Cpu& cpu, const Instruction&) {
  cpu.pauses = cpu.rip == cpu.pause_rip ? cpu.pauses + 1 : 1;
  cpu.pause_rip = cpu.rip;
  if (cpu.pauses < kPausesOfALoop) return Outcome::kDone;
  cpu.pauses = 0;
  __atomic_store_n(&cpu.cores_given_away, cpu.cores_given_away + 1, __ATOMIC_RELAXED);
  GiveCoreAway();
  return Outcome::kDone;
}

}  // namespace hv::soft
