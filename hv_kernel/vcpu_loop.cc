// On the path of an exit: compiled to general registers alone. Whatever else is called, is called
// with the registers released (VcpuEngine).
#include "hv_kernel/vcpu_loop.h"

namespace hv {

VcpuLoop::VcpuLoop(const Parts& parts)
    : parts_(parts),
      attention_(parts.page.attention),
      access_(parts_.router, parts_.lines, parts_.statistics),
      injector_(parts_.page, parts_.engine, parts_.vcpu_service,
                parts_.lines.Find(HV_ENDPOINT(HV_ROLE_IOAPIC, 0)), parts_.statistics,
                /*boot_cpu=*/parts.index == 0) {}

void VcpuLoop::Run() {
  while (Attend() == Next::kGoOn) {
    if (!injector_.runnable()) {
      Sleep();
      continue;
    }
    const Exit exit = parts_.engine.RunHolding();
    parts_.statistics.exits[static_cast<size_t>(exit.reason)].Add();
    history_.Record(exit);
    if (Handle(exit) == Next::kStop) break;
  }
  parts_.engine.ReleaseRegisters();
  parts_.control.Leave();
}

// Looks at everything that may have been asked of this thread since the last look. Taking the
// attention word first makes sure that what is asked later is seen on the next turn.
VcpuLoop::Next VcpuLoop::Attend() {
  // Pairs with the release store of whoever asked: vcpu_svc after `pending`, RunControl's kick.
  if (attention_.load(std::memory_order_relaxed) != 0) {
    attention_.exchange(0, std::memory_order_acquire);
  }
  if (!parts_.control.running()) {
    parts_.engine.ReleaseRegisters();
    if (!parts_.control.Proceed()) return Next::kStop;
  }
  return injector_.Offer() == Injector::Result::kStopping ? Next::kStop : Next::kGoOn;
}

void VcpuLoop::Sleep() {
  parts_.statistics.halts_slept.Add();
  parts_.engine.ReleaseRegisters();
  parts_.halt_wait.WaitForAttention(
      reinterpret_cast<const std::atomic<uint32_t>&>(parts_.page.attention));
}

VcpuLoop::Next VcpuLoop::Handle(const Exit& exit) {
  switch (exit.reason) {
    case ExitReason::kAttention:
    case ExitReason::kInterruptWindow: return Next::kGoOn;
    case ExitReason::kHalt: injector_.Halt(); return Next::kGoOn;
    case ExitReason::kShutdown: return Fail(StopCause::kShutdown);
    case ExitReason::kUnsupported: return Fail(StopCause::kUnsupported);
    default: break;
  }
  switch (access_.Serve(exit, parts_.engine)) {
    case AccessServer::Result::kGoOn: return Next::kGoOn;
    case AccessServer::Result::kMachineEvent:
      parts_.engine.ReleaseRegisters();
      ReportEvent(access_.event());
      return Next::kStop;
    case AccessServer::Result::kStopping: return Next::kStop;
  }
  return Next::kStop;
}

VcpuLoop::Next VcpuLoop::Fail(StopCause cause) {
  parts_.engine.ReleaseRegisters();
  ReportFailure(cause);
  return Next::kStop;
}

}  // namespace hv
