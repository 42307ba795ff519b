// What can be found out about the CPU's virtualization and about who may use it, as plain data.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "hvd/virtualization/cpu_facts.h"

namespace hv::hvd {

// The model-specific register with which firmware turns virtualization off, of one CPU.
struct FirmwareRegister {
  unsigned cpu = 0;
  uint64_t value = 0;
};

// Who may open /dev/kvm.
struct DeviceNode {
  bool exists = false;
  unsigned mode = 0;  // permission bits
  std::string group;  // its name, else its number
};

struct VirtualizationFacts {
  bool has_vmx = false;  // CPUID leaf 1, ECX bit 5, as the CPU says it
  bool has_svm = false;  // CPUID leaf 0x80000001, ECX bit 2
  // CPUID leaf 0x40000000: who this host is a guest of, "KVM"; empty: nobody says so.
  std::string hypervisor;
  std::vector<CpuFacts> cpus;
  // IA32_FEATURE_CONTROL where there is VMX, VM_CR where there is SVM; of each CPU that let us.
  std::vector<FirmwareRegister> firmware_registers;
  std::string firmware_registers_error;  // why there is none
  std::vector<std::string> modules;      // of KVM, built in or loaded: "kvm", "kvm_intel"
  std::map<std::string, std::string> module_parameters;  // "kvm_intel.ept" is "Y"
  bool device_registered = false;  // the kernel has the device, whatever this /dev shows
  DeviceNode device;
  // The last line in the kernel's log that says why virtualization cannot be used; empty: none, or
  // the log may not be read.
  std::string kernel_log;
};

// Of files under `root`, which is "" for the host's own; CPUID and the kernel's log are not files.
VirtualizationFacts ReadVirtualizationFiles(const std::string& root, bool has_vmx, bool has_svm);

// All.
VirtualizationFacts GatherVirtualizationFacts();

// The last line of a kernel's log that says why virtualization cannot be used, without its time.
std::string FindRefusal(absl::string_view log);

}  // namespace hv::hvd
