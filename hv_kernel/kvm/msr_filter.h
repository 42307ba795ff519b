// Which model-specific registers KVM answers itself: those that are the state of a CPU. All others
// leave to vcpu_svc (Linux, Documentation/virt/kvm/api.rst, 4.97 KVM_X86_SET_MSR_FILTER).
#pragma once

#include <cstdint>
#include <span>

#include "absl/status/status.h"

namespace hv::kvm {

// Whether the engine keeps the register: in KVM, or, for the TSC's two, itself. A write that KVM
// does not accept is then #GP, and nobody else's affair.
bool KeptByEngine(uint32_t index);

// Has every access but those to registers kept in KVM leave with KVM_EXIT_X86_RDMSR or _WRMSR. The
// TSC may be read; what moves it leaves, since others count on it.
absl::Status InstallMsrFilter(int vm_fd);

}  // namespace hv::kvm
