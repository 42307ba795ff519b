#include "hv_kernel/kvm/cpuid_intersection.h"

#include <algorithm>

#include "hv_kernel/kvm/counted.h"
#include "hv_kernel/kvm/ioctl.h"

namespace hv::kvm {
namespace {

constexpr uint32_t kMostEntries = 256;
constexpr uint32_t kXsave = 1u << 26;
constexpr uint32_t kAll = UINT32_MAX;

// Leaf 1 ECX: x2APIC, TSC deadline, hypervisor. EDX: APIC, MTRR, HTT. Leaf 7 EBX: TSC_ADJUST. EDX:
// ARCH_CAPABILITIES. 80000007H EDX: invariant TSC, which vcpu_svc takes from the host.
constexpr uint32_t kOwn1Ecx = 1u << 21 | 1u << 24 | 1u << 31;
constexpr uint32_t kOwn1Edx = 1u << 9 | 1u << 12 | 1u << 28;
constexpr uint32_t kOwn7Ebx = 1u << 1;
constexpr uint32_t kOwn7Edx = 1u << 29;
// 80000001H EDX of AMD: its copies of leaf 1. ECX: CmpLegacy, TopologyExtensions.
constexpr uint32_t kOwnExtended1Edx = 1u << 9 | 1u << 12;
constexpr uint32_t kOwnExtended1Ecx = 1u << 1 | 1u << 22;

// Bits of each register that stay whatever KVM says; the leaf's others are features.
struct Features {
  uint32_t leaf, subleaf;
  uint32_t eax, ebx, ecx, edx;
};
constexpr Features kFeatures[] = {
    {1, 0, kAll, kAll, kOwn1Ecx, kOwn1Edx},
    {7, 0, kAll, kOwn7Ebx, 0, kOwn7Edx},
    {7, 1, 0, 0, 0, 0},
    {0xd, 0, 0, kAll, kAll, 0},
    {0xd, 1, 0, kAll, 0, 0},
    {0x80000001, 0, kAll, kAll, kOwnExtended1Ecx, kOwnExtended1Edx},
};

using Entries = std::span<const kvm_cpuid_entry2>;

const kvm_cpuid_entry2* Find(Entries entries, uint32_t leaf, uint32_t subleaf) {
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const auto& entry) {
    const bool matters = (entry.flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) != 0;
    return entry.function == leaf && (!matters || entry.index == subleaf);
  });
  return found == entries.end() ? nullptr : &*found;
}

void MaskFeatures(kvm_cpuid_entry2& entry, Entries supported) {
  for (const Features& features : kFeatures) {
    if (features.leaf != entry.function || features.subleaf != entry.index) continue;
    const kvm_cpuid_entry2* there = Find(supported, entry.function, entry.index);
    const kvm_cpuid_entry2 given = there != nullptr ? *there : kvm_cpuid_entry2{};
    entry.eax &= given.eax | features.eax;
    entry.ebx &= given.ebx | features.ebx;
    entry.ecx &= given.ecx | features.ecx;
    entry.edx &= given.edx | features.edx;
  }
}

// Fields that depend on the vCPU (abi/cpuid_table.h). OSXSAVE and the XSAVE sizes are KVM's to
// keep.
void PatchApicId(kvm_cpuid_entry2& entry, uint32_t apic_id) {
  switch (entry.function) {
    case 1: entry.ebx = (entry.ebx & 0x00ffffff) | apic_id << 24; break;
    case 0xb:
    case 0x1f: entry.edx = apic_id; break;
    case 0x8000001e:
      entry.eax = apic_id;
      entry.ebx = (entry.ebx & ~0xffu) | apic_id;
      break;
    default: break;
  }
}

}  // namespace

absl::StatusOr<std::vector<kvm_cpuid_entry2>> SupportedCpuid(int device_fd) {
  Counted<CpuidHead, kvm_cpuid_entry2, kMostEntries> answer;
  answer.head().nent = kMostEntries;
  if (auto status = Call(device_fd, kGetSupportedCpuid, "KVM_GET_SUPPORTED_CPUID", &answer.head());
      !status.ok()) {
    return status;
  }
  return std::vector(answer.entries(), answer.entries() + answer.head().nent);
}

std::vector<kvm_cpuid_entry2> IntersectCpuid(std::span<const hv_cpuid_entry> wanted,
                                             Entries supported, uint32_t apic_id) {
  std::vector<kvm_cpuid_entry2> shown;
  for (const hv_cpuid_entry& from : wanted) {
    // A table that is not full ends in zeroes; leaf 0 itself comes first.
    if (from.leaf == 0 && !shown.empty()) continue;
    kvm_cpuid_entry2 entry{};
    entry.function = from.leaf;
    entry.index = from.subleaf;
    if ((from.flags & HV_CPUID_SUBLEAF_MATTERS) != 0) entry.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
    entry.eax = from.eax;
    entry.ebx = from.ebx;
    entry.ecx = from.ecx;
    entry.edx = from.edx;
    MaskFeatures(entry, supported);
    PatchApicId(entry, apic_id);
    shown.push_back(entry);
  }
  if (!HasXsave(shown))
    std::erase_if(shown, [](const auto& entry) { return entry.function == 0xd; });
  return shown;
}

bool HasXsave(Entries shown) {
  const kvm_cpuid_entry2* features = Find(shown, 1, 0);
  return features != nullptr && (features->ecx & kXsave) != 0;
}

}  // namespace hv::kvm
