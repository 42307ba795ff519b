#include "hv_kernel/kvm/exit_decoder.h"

namespace hv::kvm {
namespace {

DecodedExit Reason(ExitReason reason) { return {.kind = ExitKind::kReason, .reason = reason}; }

DecodedExit Ports(kvm_run& run) {
  const auto& io = run.io;
  const bool known = io.size == 1 || io.size == 2 || io.size == 4;
  if (!known || io.count == 0) return Reason(ExitReason::kUnsupported);
  auto* data = reinterpret_cast<uint8_t*>(&run) + io.data_offset;
  return {.kind = ExitKind::kTransfer,
          .transfer =
              Transfer::Ports(io.direction == KVM_EXIT_IO_OUT, io.port, io.size, io.count, data)};
}

DecodedExit Memory(kvm_run& run) {
  auto& mmio = run.mmio;
  if (mmio.len == 0 || mmio.len > sizeof(mmio.data)) return Reason(ExitReason::kUnsupported);
  return {.kind = ExitKind::kTransfer,
          .transfer = Transfer::Memory(mmio.is_write != 0, mmio.phys_addr,
                                       static_cast<uint8_t>(mmio.len), mmio.data)};
}

}  // namespace

DecodedExit DecodeExit(kvm_run& run) {
  switch (run.exit_reason) {
    case KVM_EXIT_IO: return Ports(run);
    case KVM_EXIT_MMIO: return Memory(run);
    case KVM_EXIT_X86_RDMSR: return {.kind = ExitKind::kMsrRead};
    case KVM_EXIT_X86_WRMSR: return {.kind = ExitKind::kMsrWrite};
    case KVM_EXIT_HLT: return Reason(ExitReason::kHalt);
    case KVM_EXIT_IRQ_WINDOW_OPEN: return Reason(ExitReason::kInterruptWindow);
    case KVM_EXIT_INTR: return Reason(ExitReason::kAttention);
    case KVM_EXIT_SHUTDOWN: return Reason(ExitReason::kShutdown);
    case KVM_EXIT_SET_TPR: return {.kind = ExitKind::kPriority};
    case KVM_EXIT_DIRTY_RING_FULL: return {.kind = ExitKind::kDirtyRingFull};
    default: return Reason(ExitReason::kUnsupported);
  }
}

}  // namespace hv::kvm
