#include "hvd/virtualization/firmware_switch.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace hv::hvd {
namespace {

// IA32_FEATURE_CONTROL (Intel SDM vol. 4, table 2-2): firmware writes it once and locks it.
// Unlocked, Linux turns VMX on and locks it itself.
bool VmxIsOff(uint64_t feature_control) {
  constexpr uint64_t kLock = 1 << 0, kVmxOutsideSmx = 1 << 2;
  return (feature_control & kLock) != 0 && (feature_control & kVmxOutsideSmx) == 0;
}

// VM_CR (AMD APM vol. 2, 15.30.1).
bool SvmIsOff(uint64_t vm_cr) {
  constexpr uint64_t kSvmDisable = 1 << 4;
  return (vm_cr & kSvmDisable) != 0;
}

FirmwareFinding FromRegisters(const VirtualizationFacts& facts) {
  std::vector<unsigned> on, off;
  for (const FirmwareRegister& one : facts.firmware_registers) {
    const bool is_off = facts.has_vmx ? VmxIsOff(one.value) : SvmIsOff(one.value);
    (is_off ? off : on).push_back(one.cpu);
  }
  const char* name = facts.has_vmx ? "IA32_FEATURE_CONTROL" : "VM_CR";
  if (off.empty()) return {FirmwareSwitch::kOn, absl::StrCat(name, " of CPU ", ShowNumbers(on))};
  return {FirmwareSwitch::kOff, absl::StrCat(name, " of CPU ", ShowNumbers(off))};
}

}  // namespace

FirmwareFinding LookAtFirmwareSwitch(const VirtualizationFacts& facts) {
  if (!facts.has_vmx && !facts.has_svm) return {FirmwareSwitch::kNone, "CPUID"};
  if (!facts.firmware_registers.empty()) return FromRegisters(facts);
  const char* flag = facts.has_vmx ? "vmx" : "svm";
  if (!facts.cpus.empty() && facts.cpus.front().flags.count(flag) == 0) {
    return {FirmwareSwitch::kOff,
            absl::StrCat("CPUID shows it and the kernel, in /proc/cpuinfo, does not")};
  }
  if (absl::StrContains(absl::AsciiStrToLower(facts.kernel_log), "bios")) {
    return {FirmwareSwitch::kOff, absl::StrCat("the kernel's log: ", facts.kernel_log)};
  }
  const std::string module = facts.has_vmx ? "kvm_intel" : "kvm_amd";
  const auto& modules = facts.modules;
  if (facts.device_registered &&
      std::find(modules.begin(), modules.end(), module) != modules.end()) {
    return {FirmwareSwitch::kOn, absl::StrCat(module, " uses it")};
  }
  return {FirmwareSwitch::kUnknown, facts.firmware_registers_error};
}

}  // namespace hv::hvd
