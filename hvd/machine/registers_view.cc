#include "hvd/machine/registers_view.h"

#include <cstring>

#include "abi/vcpu_state.h"
#include "absl/strings/str_cat.h"

namespace hv::hvd {
namespace {

constexpr const char* kGeneral[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                    "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
constexpr const char* kSegments[] = {"es", "cs", "ss", "ds", "fs", "gs"};

const char* ActivityName(uint32_t activity) {
  switch (activity) {
    case HV_ACTIVITY_RUNNING: return "running";
    case HV_ACTIVITY_HALTED: return "halted";
    case HV_ACTIVITY_WAIT_FOR_SIPI: return "wait for SIPI";
    default: return "unknown";
  }
}

class RegisterList {
 public:
  explicit RegisterList(hv::v1::Registers& shown) : shown_(shown) {}

  void Add(const char* name, uint64_t value) {
    auto& entry = *shown_.add_registers();
    entry.set_name(name);
    entry.set_value(value);
  }
  void Add(const char* name, const hv_segment_state& segment) {
    auto& entry = *shown_.add_segments();
    entry.set_name(name);
    entry.set_selector(segment.selector);
    entry.set_base(segment.base);
    entry.set_limit(segment.limit);
    entry.set_attributes(segment.attributes);
  }

 private:
  hv::v1::Registers& shown_;
};

std::string CauseInWords(const InstanceEnd& end) {
  switch (end.cause) {
    case hv::v1::EXIT_CAUSE_POWER_OFF: return "the guest switched itself off";
    case hv::v1::EXIT_CAUSE_RESET: return "the guest asked for a reset";
    case hv::v1::EXIT_CAUSE_DEBUG_EXIT:
      return absl::StrCat("the guest wrote ", end.value, " to the debug-exit port");
    case hv::v1::EXIT_CAUSE_TRIPLE_FAULT: return "triple fault";
    case hv::v1::EXIT_CAUSE_UNSUPPORTED: return "an instruction the engine cannot run";
    case hv::v1::EXIT_CAUSE_STOPPED: return "stopped on request";
    case hv::v1::EXIT_CAUSE_KERNEL_DIED: return "hv_kernel died";
    default: return "a part of hv failed";
  }
}

uint32_t StatusOf(const InstanceEnd& end) {
  switch (end.cause) {
    case hv::v1::EXIT_CAUSE_POWER_OFF: return kExitPowerOff;
    case hv::v1::EXIT_CAUSE_DEBUG_EXIT: return ((end.value << 1) | 1) & 0xff;
    case hv::v1::EXIT_CAUSE_TRIPLE_FAULT:
    case hv::v1::EXIT_CAUSE_UNSUPPORTED: return kExitGuestCrashed;
    case hv::v1::EXIT_CAUSE_RESET:
    case hv::v1::EXIT_CAUSE_STOPPED: return kExitStopped;
    default: return kExitMachineFailed;
  }
}

void ShowCrash(const hv::v1::KernelExit& report, hv::v1::Crash& crash) {
  crash.set_vcpu(report.vcpu());
  crash.set_bytes_at_rip(report.bytes_at_rip());
  if (auto registers = ShowRegisters(report.vcpu(), report.vcpu_state()); registers.ok()) {
    *crash.mutable_registers() = *std::move(registers);
  }
  for (const auto& exit : report.last_exits()) {
    auto& shown = *crash.add_last_exits();
    shown.set_reason(exit.reason());
    shown.set_address(exit.address());
    shown.set_data(exit.data());
    shown.set_width(exit.width());
  }
}

}  // namespace

absl::StatusOr<hv::v1::Registers> ShowRegisters(uint32_t vcpu, const std::string& bytes) {
  hv_vcpu_state state;
  if (bytes.size() != sizeof(state)) {
    return absl::InternalError(absl::StrCat("registers of vCPU ", vcpu, ": ", bytes.size(),
                                            " bytes, ", sizeof(state), " expected"));
  }
  std::memcpy(&state, bytes.data(), sizeof(state));
  hv::v1::Registers shown;
  shown.set_vcpu(vcpu);
  shown.set_activity(ActivityName(state.activity));
  RegisterList list(shown);
  for (int i = 0; i < 16; ++i) list.Add(kGeneral[i], state.gpr[i]);
  list.Add("rip", state.rip);
  list.Add("rflags", state.rflags);
  list.Add("cr0", state.cr0);
  list.Add("cr2", state.cr2);
  list.Add("cr3", state.cr3);
  list.Add("cr4", state.cr4);
  list.Add("cr8", state.cr8);
  list.Add("xcr0", state.xcr0);
  list.Add("efer", state.efer);
  list.Add("dr6", state.dr[6]);
  list.Add("dr7", state.dr[7]);
  list.Add("gdtr.base", state.gdtr.base);
  list.Add("gdtr.limit", state.gdtr.limit);
  list.Add("idtr.base", state.idtr.base);
  list.Add("idtr.limit", state.idtr.limit);
  list.Add("star", state.star);
  list.Add("lstar", state.lstar);
  list.Add("kernel_gs_base", state.kernel_gs_base);
  for (int i = 0; i < 6; ++i) list.Add(kSegments[i], state.segment[i]);
  list.Add("ldtr", state.ldtr);
  list.Add("tr", state.tr);
  return shown;
}

hv::v1::MachineExit ShowEnd(const InstanceEnd& end) {
  hv::v1::MachineExit shown;
  shown.set_cause(end.cause);
  shown.set_status(StatusOf(end));
  shown.set_message(CauseInWords(end));
  if (!end.message.empty()) {
    shown.set_message(absl::StrCat(shown.message(), ": ", end.message));
  }
  const bool crashed =
      end.cause == hv::v1::EXIT_CAUSE_TRIPLE_FAULT || end.cause == hv::v1::EXIT_CAUSE_UNSUPPORTED;
  if (crashed && end.report) ShowCrash(*end.report, *shown.mutable_crash());
  return shown;
}

}  // namespace hv::hvd
