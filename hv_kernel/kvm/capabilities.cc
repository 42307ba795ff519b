#include "hv_kernel/kvm/capabilities.h"

#include <linux/kvm.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"

namespace hv::kvm {
namespace {

struct Requirement {
  int capability;
  const char* name;
  const char* since;
};

constexpr Requirement kRequired[] = {
    {KVM_CAP_USER_MEMORY, "USER_MEMORY", "2.6.25"},
    {KVM_CAP_DESTROY_MEMORY_REGION_WORKS, "DESTROY_MEMORY_REGION_WORKS", "2.6.30"},
    {KVM_CAP_USER_NMI, "USER_NMI", "2.6.29"},
    {KVM_CAP_VCPU_EVENTS, "VCPU_EVENTS", "2.6.33"},
    {KVM_CAP_DEBUGREGS, "DEBUGREGS", "2.6.34"},
    {KVM_CAP_XSAVE, "XSAVE", "2.6.36"},
    {KVM_CAP_XCRS, "XCRS", "2.6.36"},
    {KVM_CAP_READONLY_MEM, "READONLY_MEM", "3.7"},
    {KVM_CAP_IMMEDIATE_EXIT, "IMMEDIATE_EXIT", "4.11"},
    {KVM_CAP_X86_USER_SPACE_MSR, "X86_USER_SPACE_MSR", "5.10"},
    {KVM_CAP_X86_MSR_FILTER, "X86_MSR_FILTER", "5.10"},
    {KVM_CAP_DIRTY_LOG_RING, "DIRTY_LOG_RING", "5.11"},
    {KVM_CAP_VCPU_ATTRIBUTES, "VCPU_ATTRIBUTES", "5.16"},
};

int Extension(int device_fd, int capability) {
  return std::max(0, ioctl(device_fd, KVM_CHECK_EXTENSION, capability));
}

}  // namespace

absl::StatusOr<Capabilities> CheckCapabilities(int device_fd) {
  const int version = ioctl(device_fd, KVM_GET_API_VERSION, 0);
  if (version != KVM_API_VERSION) {
    return absl::FailedPreconditionError(absl::StrCat("engine kvm: /dev/kvm has interface version ",
                                                      version, ", must be ", KVM_API_VERSION));
  }
  std::string missing;
  for (const Requirement& need : kRequired) {
    if (Extension(device_fd, need.capability) != 0) continue;
    absl::StrAppend(&missing, missing.empty() ? "" : ", ", "KVM_CAP_", need.name, " (Linux ",
                    need.since, ")");
  }
  if (!missing.empty()) {
    return absl::FailedPreconditionError(absl::StrCat("engine kvm: /dev/kvm lacks ", missing));
  }
  const int bytes = ioctl(device_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
  if (bytes <= 0) return absl::FailedPreconditionError("engine kvm: /dev/kvm names no run page");
  const bool late_memory = Extension(device_fd, KVM_CAP_COALESCED_MMIO) != 0;
  return Capabilities{
      .run_page_bytes = static_cast<size_t>(bytes),
      .dirty_ring_bytes = static_cast<uint32_t>(Extension(device_fd, KVM_CAP_DIRTY_LOG_RING)),
      .quirks = static_cast<uint64_t>(Extension(device_fd, KVM_CAP_DISABLE_QUIRKS2)),
      .late_memory = late_memory,
      .late_ports = late_memory && Extension(device_fd, KVM_CAP_COALESCED_PIO) != 0,
      .counted_ports = Extension(device_fd, KVM_CAP_IOEVENTFD) != 0 &&
                       Extension(device_fd, KVM_CAP_IOEVENTFD_ANY_LENGTH) != 0};
}

}  // namespace hv::kvm
