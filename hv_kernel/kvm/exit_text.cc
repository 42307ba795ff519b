// KVM's exits in words.
#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "hv_kernel/kvm/exit_decoder.h"

namespace hv::kvm {
namespace {

struct Name {
  uint32_t value;
  const char* name;
};

constexpr Name kExits[] = {
    {KVM_EXIT_UNKNOWN, "an exit of the hardware that KVM does not know"},
    {KVM_EXIT_EXCEPTION, "an exception of the guest that KVM does not handle"},
    {KVM_EXIT_IO, "port I/O"},
    {KVM_EXIT_HYPERCALL, "a hypercall"},
    {KVM_EXIT_DEBUG, "a debug event"},
    {KVM_EXIT_HLT, "HLT"},
    {KVM_EXIT_MMIO, "memory-mapped I/O"},
    {KVM_EXIT_IRQ_WINDOW_OPEN, "an open interrupt window"},
    {KVM_EXIT_SHUTDOWN, "shutdown (triple fault)"},
    {KVM_EXIT_FAIL_ENTRY, "a failed entry into the guest"},
    {KVM_EXIT_INTR, "a signal"},
    {KVM_EXIT_SET_TPR, "a lowered task priority"},
    {KVM_EXIT_TPR_ACCESS, "an access to the task priority register"},
    {KVM_EXIT_NMI, "an NMI of the host"},
    {KVM_EXIT_INTERNAL_ERROR, "an internal error of KVM"},
    {KVM_EXIT_SYSTEM_EVENT, "a system event"},
    {KVM_EXIT_IOAPIC_EOI, "an end of interrupt for an I/O APIC"},
    {KVM_EXIT_HYPERV, "a Hyper-V call"},
    {KVM_EXIT_X86_RDMSR, "RDMSR"},
    {KVM_EXIT_X86_WRMSR, "WRMSR"},
    {KVM_EXIT_DIRTY_RING_FULL, "a full dirty ring"},
    {KVM_EXIT_AP_RESET_HOLD, "a processor held in reset"},
    {KVM_EXIT_X86_BUS_LOCK, "a bus lock"},
    {KVM_EXIT_XEN, "a Xen call"},
    {KVM_EXIT_NOTIFY, "a guest that opens no window for events"},
};

constexpr Name kInternalErrors[] = {
    {KVM_INTERNAL_ERROR_EMULATION, "an instruction that KVM cannot emulate"},
    {KVM_INTERNAL_ERROR_SIMUL_EX, "an exception while another was being delivered"},
    {KVM_INTERNAL_ERROR_DELIVERY_EV, "an exit while an event was being delivered"},
    {KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON, "an exit reason that KVM did not expect"},
};

constexpr Name kSystemEvents[] = {
    {KVM_SYSTEM_EVENT_SHUTDOWN, "shutdown"}, {KVM_SYSTEM_EVENT_RESET, "reset"},
    {KVM_SYSTEM_EVENT_CRASH, "crash"},       {KVM_SYSTEM_EVENT_SEV_TERM, "SEV termination"},
    {KVM_SYSTEM_EVENT_WAKEUP, "wake-up"},    {KVM_SYSTEM_EVENT_SUSPEND, "suspend"},
};

template <size_t count>
std::string NameOf(const Name (&names)[count], const char* what, uint32_t value) {
  const auto* found =
      std::find_if(names, names + count, [value](const Name& name) { return name.value == value; });
  return found != names + count ? found->name : absl::StrCat(what, " ", value);
}

template <typename Words>
std::string WordsOf(const Words& words, uint32_t count) {
  std::string text;
  for (uint32_t i = 0; i < std::min<uint32_t>(count, std::size(words)); ++i) {
    absl::StrAppendFormat(&text, "%s0x%x", i == 0 ? "; data " : " ", words[i]);
  }
  return text;
}

std::string EmulationBytes(const kvm_run& run) {
  const auto& failure = run.emulation_failure;
  // Offered beside the plain words since Linux 5.14.
  if (failure.ndata < 1 ||
      (failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES) == 0) {
    return WordsOf(run.internal.data, run.internal.ndata);
  }
  std::string text = "; bytes";
  const size_t bytes = std::min<size_t>(failure.insn_size, sizeof(failure.insn_bytes));
  for (size_t i = 0; i < bytes; ++i) absl::StrAppendFormat(&text, " %02x", failure.insn_bytes[i]);
  return text;
}

std::string InternalError(const kvm_run& run) {
  const std::string error = NameOf(kInternalErrors, "suberror", run.internal.suberror);
  return run.internal.suberror == KVM_INTERNAL_ERROR_EMULATION
             ? absl::StrCat(error, EmulationBytes(run))
             : absl::StrCat(error, WordsOf(run.internal.data, run.internal.ndata));
}

std::string Details(const kvm_run& run) {
  switch (run.exit_reason) {
    case KVM_EXIT_UNKNOWN:
      return absl::StrFormat("hardware exit reason 0x%x", run.hw.hardware_exit_reason);
    case KVM_EXIT_EXCEPTION:
      return absl::StrFormat("vector %u, error code 0x%x", run.ex.exception, run.ex.error_code);
    case KVM_EXIT_IO:
      return absl::StrFormat("%s port 0x%x, %u times %u bytes",
                             run.io.direction == KVM_EXIT_IO_OUT ? "to" : "from", run.io.port,
                             run.io.count, run.io.size);
    case KVM_EXIT_MMIO:
      return absl::StrFormat("%s 0x%x, %u bytes", run.mmio.is_write != 0 ? "to" : "from",
                             run.mmio.phys_addr, run.mmio.len);
    case KVM_EXIT_HYPERCALL: return absl::StrFormat("number 0x%x", run.hypercall.nr);
    case KVM_EXIT_DEBUG:
      return absl::StrFormat("exception %u at 0x%x, DR6 0x%x, DR7 0x%x", run.debug.arch.exception,
                             run.debug.arch.pc, run.debug.arch.dr6, run.debug.arch.dr7);
    case KVM_EXIT_FAIL_ENTRY:
      return absl::StrFormat("hardware entry failure reason 0x%x on CPU %u",
                             run.fail_entry.hardware_entry_failure_reason, run.fail_entry.cpu);
    case KVM_EXIT_TPR_ACCESS: return absl::StrFormat("at RIP 0x%x", run.tpr_access.rip);
    case KVM_EXIT_INTERNAL_ERROR: return InternalError(run);
    case KVM_EXIT_SYSTEM_EVENT:
      return absl::StrCat(NameOf(kSystemEvents, "type", run.system_event.type),
                          WordsOf(run.system_event.data, run.system_event.ndata));
    case KVM_EXIT_X86_RDMSR: return absl::StrFormat("of 0x%x", run.msr.index);
    case KVM_EXIT_X86_WRMSR: return absl::StrFormat("of 0x%x: 0x%x", run.msr.index, run.msr.data);
    case KVM_EXIT_NOTIFY: return absl::StrFormat("flags 0x%x", run.notify.flags);
    default: return {};
  }
}

}  // namespace

std::string DescribeExit(const kvm_run& run) {
  const std::string details = Details(run);
  return absl::StrCat(NameOf(kExits, "exit reason", run.exit_reason), details.empty() ? "" : ": ",
                      details);
}

}  // namespace hv::kvm
