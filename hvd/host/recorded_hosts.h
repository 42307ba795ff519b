// For tests: what doctor has to judge, as it was on hosts of several kinds.
#pragma once

#include <linux/kvm.h>

#include <cerrno>

#include "hvd/host/host_facts.h"
#include "hvd/virtualization/kvm_capabilities.h"

namespace hv::hvd {

inline KvmFacts RealKvm() {
  KvmFacts facts{.device = DeviceAccess::kUsable,
                 .api_version = KVM_API_VERSION,
                 .speed = Ring0Speed{.mips = 5120},
                 .runs_xsave = true,
                 .runs_cmpxchg16b = true,
                 .probe_ns = 1'200'000};
  for (const KvmCapability& capability : KvmCapabilities()) {
    facts.extensions[capability.number] = capability.least;
  }
  return facts;
}

inline KvmFacts KvmThatCannotBeOpened(DeviceAccess access, int error) {
  return {.device = access, .open_errno = error};
}

// A server of two CPUs, Debian 12, user in group kvm.
inline HostFacts IntelBareMetal() {
  const CpuFacts cpu{.vendor = "GenuineIntel",
                     .model = "Intel(R) Xeon(R) Gold 6130 CPU @ 2.10GHz",
                     .signature = "6-85-4",
                     .microcode = "0x2007006",
                     .flags = {"vmx", "avx", "avx2", "bmi2", "fsgsbase"},
                     .vmx_flags = {"vnmi", "ept", "vpid", "unrestricted_guest"}};
  HostFacts facts{.cpu_model = cpu.model,
                  .has_invariant_tsc = true,
                  .has_fsgsbase = true,
                  .has_avx = true,
                  .has_avx2 = true,
                  .has_bmi2 = true,
                  .kvm = RealKvm(),
                  .user_namespaces = true,
                  .landlock_abi = 2,
                  .seccomp_filters = true,
                  .cores = 2,
                  .available_memory_bytes = 16ull << 30,
                  .shmem_huge_pages = "advise",
                  .descriptor_limit = 1 << 20,
                  .userfault = {.user_mode_error = 0,
                                .call_error = EPERM,
                                .device_error = 0,
                                .has_shared_memory = true,
                                .has_write_protection = true}};
  facts.virtualization = {
      .has_vmx = true,
      .cpus = {cpu, cpu},
      .firmware_registers_error = "/dev/cpu/0/msr: Permission denied",
      .modules = {"kvm", "kvm_intel"},
      .module_parameters = {{"kvm_intel.ept", "Y"}, {"kvm_intel.unrestricted_guest", "Y"}},
      .device_registered = true,
      .device = {.exists = true, .mode = 0660, .group = "kvm"}};
  facts.virtualization.cpus[1].number = 1;
  return facts;
}

// Run by root, who may read the register.
inline HostFacts AmdBareMetal() {
  HostFacts facts = IntelBareMetal();
  VirtualizationFacts& cpu = facts.virtualization;
  cpu.has_vmx = false;
  cpu.has_svm = true;
  for (CpuFacts& one : cpu.cpus) {
    one.vendor = "AuthenticAMD";
    one.model = "AMD EPYC 7502P 32-Core Processor";
    one.signature = "23-49-0";
    one.flags = {"svm", "npt", "nrip_save", "decodeassists", "avx", "avx2"};
    one.vmx_flags.clear();
  }
  cpu.firmware_registers = {{.cpu = 0, .value = 0x8}, {.cpu = 1, .value = 0x8}};
  cpu.firmware_registers_error.clear();
  cpu.modules = {"kvm", "kvm_amd"};
  cpu.module_parameters = {{"kvm_amd.npt", "Y"}};
  return facts;
}

inline HostFacts DisabledByFirmware() {
  HostFacts facts = IntelBareMetal();
  VirtualizationFacts& cpu = facts.virtualization;
  for (CpuFacts& one : cpu.cpus) one.flags.erase("vmx");
  cpu.modules = {"kvm"};
  cpu.module_parameters.clear();
  cpu.device_registered = false;
  cpu.device = {};
  cpu.kernel_log = "x86/cpu: VMX (outside TXT) disabled by BIOS";
  facts.kvm = KvmThatCannotBeOpened(DeviceAccess::kMissing, ENOENT);
  return facts;
}

inline HostFacts NoPermission() {
  HostFacts facts = IntelBareMetal();
  facts.kvm = KvmThatCannotBeOpened(DeviceAccess::kDenied, EACCES);
  return facts;
}

inline HostFacts NoModule() {
  HostFacts facts = IntelBareMetal();
  VirtualizationFacts& cpu = facts.virtualization;
  cpu.modules.clear();
  cpu.module_parameters.clear();
  cpu.device_registered = false;
  cpu.device = {};
  facts.kvm = KvmThatCannotBeOpened(DeviceAccess::kMissing, ENOENT);
  return facts;
}

// sysfs shows the host's modules there, /dev is the container's own.
inline HostFacts ContainerWithoutDevice() {
  HostFacts facts = IntelBareMetal();
  facts.virtualization.device = {};
  facts.kvm = KvmThatCannotBeOpened(DeviceAccess::kMissing, ENOENT);
  return facts;
}

// A guest of KVM's without VMX, whose own /dev/kvm is pvm: it runs guests' ring 0 by interpreting
// it.
inline HostFacts SlowKvm() {
  HostFacts facts = IntelBareMetal();
  VirtualizationFacts& cpu = facts.virtualization;
  cpu.has_vmx = false;
  cpu.hypervisor = "KVM";
  for (CpuFacts& one : cpu.cpus) {
    one.flags.erase("vmx");
    one.vmx_flags.clear();
  }
  cpu.modules = {"kvm", "kvm_pvm"};
  cpu.module_parameters.clear();
  cpu.device = {.exists = true, .mode = 0600, .group = "root"};
  facts.kvm.speed = Ring0Speed{.mips = 3.3};
  facts.kvm.runs_xsave = facts.kvm.runs_cmpxchg16b = false;
  facts.kvm.probe_ns = 4'900'000;
  return facts;
}

}  // namespace hv::hvd
