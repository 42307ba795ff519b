// What CPUID shows a guest on KVM: vcpu_svc's table, less what this KVM cannot give.
#pragma once

#include <linux/kvm.h>

#include <cstdint>
#include <span>
#include <vector>

#include "abi/cpuid_table.h"
#include "absl/status/statusor.h"

namespace hv::kvm {

// KVM_GET_SUPPORTED_CPUID.
absl::StatusOr<std::vector<kvm_cpuid_entry2>> SupportedCpuid(int device_fd);

// The table for KVM_SET_CPUID2. Features stay where both sides have them; what is not a feature
// (names, caches, topology) is vcpu_svc's; what hv provides without KVM (local APIC, TSC_ADJUST,
// ARCH_CAPABILITIES, the hypervisor bit) stays whatever KVM says. Pure.
std::vector<kvm_cpuid_entry2> IntersectCpuid(std::span<const hv_cpuid_entry> wanted,
                                             std::span<const kvm_cpuid_entry2> supported,
                                             uint32_t apic_id);

// Whether the guest sees XSAVE, and with it CR4.OSXSAVE and XCR0.
bool HasXsave(std::span<const kvm_cpuid_entry2> shown);

}  // namespace hv::kvm
