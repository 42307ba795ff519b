#include "hvd/virtualization/kvm_capabilities.h"

#include <linux/kvm.h>

#include "absl/strings/str_cat.h"

namespace hv::hvd {
namespace {

// RAM below and above the PCI hole, and around what is protected or moved into it.
constexpr int kLeastSlots = 64;

}  // namespace

const std::vector<KvmCapability>& KvmCapabilities() {
  constexpr CapabilityUse kNeed = CapabilityUse::kNeed, kLike = CapabilityUse::kLike;
  static const auto& all = *new std::vector<KvmCapability>{
      {KVM_CAP_USER_MEMORY, "USER_MEMORY", kNeed, 1, "guest RAM is hv's segment"},
      {KVM_CAP_NR_MEMSLOTS, "NR_MEMSLOTS", kNeed, kLeastSlots, "slots for RAM and protected pages"},
      {KVM_CAP_DESTROY_MEMORY_REGION_WORKS, "DESTROY_MEMORY_REGION_WORKS", kNeed, 1,
       "a slot can go again"},
      {KVM_CAP_MAX_VCPUS, "MAX_VCPUS", kNeed, 1, "vCPUs of a machine"},
      {KVM_CAP_SET_TSS_ADDR, "SET_TSS_ADDR", kNeed, 1, "real mode on Intel"},
      {KVM_CAP_SET_IDENTITY_MAP_ADDR, "SET_IDENTITY_MAP_ADDR", kNeed, 1,
       "modes without paging on Intel without unrestricted guest"},
      {KVM_CAP_EXT_CPUID, "EXT_CPUID", kNeed, 1, "guests see vcpu_svc's CPUID"},
      {KVM_CAP_IMMEDIATE_EXIT, "IMMEDIATE_EXIT", kNeed, 1, "a kick before entry is not lost"},
      {KVM_CAP_USER_NMI, "USER_NMI", kNeed, 1, "NMIs from vcpu_svc"},
      {KVM_CAP_VCPU_EVENTS, "VCPU_EVENTS", kNeed, 1, "interrupt shadow, NMI, pending exceptions"},
      {KVM_CAP_DEBUGREGS, "DEBUGREGS", kNeed, 1, "DR0 to DR7"},
      {KVM_CAP_XSAVE, "XSAVE", kNeed, 1, "x87, SSE and AVX state"},
      {KVM_CAP_XCRS, "XCRS", kNeed, 1, "XCR0"},
      {KVM_CAP_ENABLE_CAP_VM, "ENABLE_CAP_VM", kNeed, 1, "turning on what follows"},
      {KVM_CAP_X86_USER_SPACE_MSR, "X86_USER_SPACE_MSR", kNeed, 1, "MSRs are vcpu_svc's"},
      {KVM_CAP_X86_MSR_FILTER, "X86_MSR_FILTER", kNeed, 1, "also those KVM would emulate"},
      {KVM_CAP_READONLY_MEM, "READONLY_MEM", kNeed, 1, "ROM and protected pages"},
      {KVM_CAP_DIRTY_LOG_RING, "DIRTY_LOG_RING", kNeed, 1, "dirty pages by address"},
      {KVM_CAP_VCPU_ATTRIBUTES, "VCPU_ATTRIBUTES", kNeed, 1, "an exact TSC offset"},
      {KVM_CAP_SYNC_REGS, "SYNC_REGS", kLike, KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS,
       "registers without a call for each"},
      {KVM_CAP_DIRTY_LOG_RING_ACQ_REL, "DIRTY_LOG_RING_ACQ_REL", kLike, 1,
       "the same, with its order of memory accesses stated"},
      {KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, "MANUAL_DIRTY_LOG_PROTECT2", kLike, 1,
       "a dirty log in pieces"},
      {KVM_CAP_COALESCED_MMIO, "COALESCED_MMIO", kLike, 1, "late writes to memory without exits"},
      {KVM_CAP_COALESCED_PIO, "COALESCED_PIO", kLike, 1, "late writes to ports without exits"},
      {KVM_CAP_IOEVENTFD, "IOEVENTFD", kLike, 1, "counted writes to ports without exits"},
      {KVM_CAP_IOEVENTFD_ANY_LENGTH, "IOEVENTFD_ANY_LENGTH", kLike, 1, "of every width"},
      {KVM_CAP_TSC_CONTROL, "TSC_CONTROL", kLike, 1, "a guest's TSC at another rate"},
      {KVM_CAP_XSAVE2, "XSAVE2", kLike, 1, "state of more than 4 KiB"},
      {KVM_CAP_DISABLE_QUIRKS2, "DISABLE_QUIRKS2", kLike, 1, "KVM without its old mistakes"},
      {KVM_CAP_X86_DISABLE_EXITS, "X86_DISABLE_EXITS", kLike, 1, "PAUSE and HLT without exits"},
      {KVM_CAP_SET_GUEST_DEBUG, "SET_GUEST_DEBUG", kLike, 1, "breakpoints and single steps"},
  };
  return all;
}

std::vector<std::string> LackingCapabilities(const std::map<int, int>& extensions,
                                             CapabilityUse use) {
  std::vector<std::string> lacking;
  for (const KvmCapability& capability : KvmCapabilities()) {
    if (capability.use != use) continue;
    const auto found = extensions.find(capability.number);
    const int answer = found == extensions.end() ? 0 : found->second;
    if (answer >= capability.least) continue;
    lacking.push_back(
        answer > 0 ? absl::StrCat(capability.name, " (", answer, " of ", capability.least, ")")
                   : capability.name);
  }
  return lacking;
}

}  // namespace hv::hvd
