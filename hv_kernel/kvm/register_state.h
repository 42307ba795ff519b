// A vCPU's registers between hv's words for them and KVM's.
#pragma once

#include <linux/kvm.h>

#include <cstdint>
#include <span>

#include "abi/vcpu_state.h"
#include "absl/status/status.h"
#include "hv_kernel/kvm/counted.h"

namespace hv::kvm {

// Pure conversions. What KVM keeps elsewhere (MSRs, extended state, events) they leave alone.
kvm_regs ToRegs(const hv_vcpu_state& state);
void FromRegs(const kvm_regs& regs, hv_vcpu_state& state);
// `boot_cpu` shows in the APIC base.
kvm_sregs ToSregs(const hv_vcpu_state& state, bool boot_cpu);
void FromSregs(const kvm_sregs& sregs, hv_vcpu_state& state);
kvm_debugregs ToDebugRegs(const hv_vcpu_state& state);
void FromDebugRegs(const kvm_debugregs& regs, hv_vcpu_state& state);
// Nothing pending: hv keeps that (abi/vcpu_page.h).
kvm_vcpu_events ToEvents(const hv_vcpu_state& state);
void FromEvents(const kvm_vcpu_events& events, hv_vcpu_state& state);
// In the standard format, with what `xcr0` allows and no other component.
XsaveArea ToXsave(const hv_vcpu_state& state);

// Reads or writes all of it. `msrs` are the registers to be kept that KVM has (register_msrs.h).
absl::Status StoreRegisters(int vcpu_fd, const hv_vcpu_state& state, bool boot_cpu, bool xsave,
                            std::span<const uint32_t> msrs);
void LoadRegisters(int vcpu_fd, hv_vcpu_state& state, std::span<const uint32_t> msrs);

}  // namespace hv::kvm
