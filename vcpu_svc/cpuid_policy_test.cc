#include "vcpu_svc/cpuid_policy.h"

#include <cstring>
#include <map>
#include <string>
#include <utility>

#include "abi/platform.h"
#include "gtest/gtest.h"

namespace hv::vcpu {
namespace {

using Registers = CpuidSource::Registers;

constexpr uint32_t kAllOnes = 0xffffffff;
constexpr uint64_t kTscHz = 2'400'000'000;

// A host all of whose feature bits are set, so that a bit the guest sees is one the policy lets
// through.
class FakeHost : public CpuidSource {
 public:
  explicit FakeHost(const char* vendor) {
    Registers name{.eax = 0x20};
    std::memcpy(&name.ebx, vendor, 4);
    std::memcpy(&name.edx, vendor + 4, 4);
    std::memcpy(&name.ecx, vendor + 8, 4);
    leaves[{0, 0}] = name;
    leaves[{1, 0}] = {0x806f8, 0x12345678, kAllOnes, kAllOnes};
    leaves[{7, 0}] = {2, kAllOnes, kAllOnes, kAllOnes};
    leaves[{7, 1}] = {kAllOnes, kAllOnes, kAllOnes, kAllOnes};
    leaves[{0xd, 0}] = {0x2e7, 2696, 2696, 0};
    leaves[{0xd, 1}] = {0x1f, 0, 0, 0};
    leaves[{0x80000000, 0}] = {0x80000021, name.ebx, name.ecx, name.edx};
    leaves[{0x80000001, 0}] = {0, 0, kAllOnes, kAllOnes};
    leaves[{0x80000002, 0}] = {0x6e696146, 0x20656c70, 0x555043, 0};
    leaves[{0x80000007, 0}] = {0, 0, 0, kAllOnes};
    leaves[{0x80000008, 0}] = {0x3939, kAllOnes, kAllOnes, kAllOnes};
    AddCaches(IsIntel(*this) ? 4 : 0x8000001d);
  }
  Registers Get(uint32_t leaf, uint32_t subleaf) const override {
    const auto found = leaves.find({leaf, subleaf});
    if (found != leaves.end()) return found->second;
    const bool beyond = leaf > leaves.at({leaf & 0x80000000, 0}).eax;
    // A leaf that is not there repeats the highest one, as on Intel's CPUs.
    return beyond ? Registers{kAllOnes, kAllOnes, kAllOnes, kAllOnes} : Registers{};
  }

  std::map<std::pair<uint32_t, uint32_t>, Registers> leaves;

 private:
  // 32 KiB data, 32 KiB code, 2 MiB, 32 MiB; the host shares them among more threads than the
  // guest.
  void AddCaches(uint32_t leaf) {
    uint32_t subleaf = 0;
    for (const uint32_t type_and_level : {0x121u, 0x122u, 0x143u, 0x163u}) {
      leaves[{leaf, subleaf++}] = {0xfc1fc000 | type_and_level, 0x1c0003f, 63, 0};
    }
  }
};

class CpuidPolicyTest : public testing::Test {
 protected:
  void Build(const CpuidSource& host, uint32_t cpus = 4) {
    table_ = BuildCpuidTable(host, {.cpus = cpus, .tsc_hz = kTscHz});
  }
  bool Has(uint32_t leaf, uint32_t subleaf = 0) const { return Find(leaf, subleaf) != nullptr; }
  Registers At(uint32_t leaf, uint32_t subleaf = 0) const {
    const hv_cpuid_entry* entry = Find(leaf, subleaf);
    if (entry == nullptr) return {};
    return {entry->eax, entry->ebx, entry->ecx, entry->edx};
  }

  FakeHost intel_{"GenuineIntel"};
  FakeHost amd_{"AuthenticAMD"};
  std::vector<hv_cpuid_entry> table_;

 private:
  // As a reader of the table looks a leaf up.
  const hv_cpuid_entry* Find(uint32_t leaf, uint32_t subleaf) const {
    for (const hv_cpuid_entry& entry : table_) {
      const bool any = (entry.flags & HV_CPUID_SUBLEAF_MATTERS) == 0;
      if (entry.leaf == leaf && (any || entry.subleaf == subleaf)) return &entry;
    }
    return nullptr;
  }
};

TEST_F(CpuidPolicyTest, TheVendorIsTheHosts) {
  EXPECT_TRUE(IsIntel(intel_));
  EXPECT_FALSE(IsIntel(amd_));
  Build(amd_);
  EXPECT_EQ(At(0).ebx, 0x68747541u);
  EXPECT_EQ(At(0x80000000).ebx, 0x68747541u);
  EXPECT_EQ(At(1).eax, 0x806f8u);
}

// All features a guest can ever see; a bit added here is one the engine must execute.
TEST_F(CpuidPolicyTest, NothingIsShownThatIsMasked) {
  for (const FakeHost* host : {&intel_, &amd_}) {
    Build(*host, 1);
    EXPECT_EQ(At(1).ecx, 0xf7fa3203u);  // no MONITOR, VMX, SMX, PDCM, OSXSAVE
    EXPECT_EQ(At(1).edx, 0x078bbb7du);  // no VME, MCE, MCA, DS, ACPI, HTT, TM
    EXPECT_EQ(At(7).eax, 1u);
    EXPECT_EQ(At(7).ebx, 0x219c07abu);  // no SGX, HLE, RTM, MPX, AVX-512
    EXPECT_EQ(At(7).ecx, 0x00400704u);  // no PKU, WAITPKG, CET, LA57
    // No TSXLDTRK, SPEC_CTRL, AMX; ARCH_CAPABILITIES is Intel's.
    EXPECT_EQ(At(7).edx, host == &intel_ ? 0x20004010u : 0x00004010u);
    EXPECT_EQ(At(7, 1).eax, 0x10u);  // no AVX512_BF16, AMX_FP16, AVX_IFMA, LAM
    EXPECT_EQ(At(7, 1).edx, 0u);     // no AVX_VNNI_INT8, AVX_NE_CONVERT, AVX10
    EXPECT_FALSE(Has(7, 2));
    EXPECT_EQ(At(0xd, 1).eax, 3u);  // no XSAVES
    EXPECT_EQ(At(0x80000007).edx, 1u << 8);
    EXPECT_EQ(At(0x80000008).ebx, 0u);
  }
}

TEST_F(CpuidPolicyTest, NoHostMakesItsGuestsKernelsHideFromTheirProcesses) {
  EXPECT_EQ(ArchCapabilities(0), 1u);  // RDCL_NO
  EXPECT_EQ(ArchCapabilities(1u << 5), 1u << 5 | 1u);
}

TEST_F(CpuidPolicyTest, ExtendedFeaturesAreMaskedToo) {
  Build(intel_, 1);
  EXPECT_EQ(At(0x80000001).ecx, 0x121u);  // LAHF64, LZCNT, prefetch; no SVM
  EXPECT_EQ(At(0x80000001).edx, 0x2d93bb7du);
  Build(amd_, 1);
  EXPECT_EQ(At(0x80000001).ecx, 0x121u | 1u << 22);  // topology extensions
}

TEST_F(CpuidPolicyTest, WhatTheHostLacksIsNotShown) {
  intel_.leaves[{1, 0}].ecx &= ~(1u << 30);          // RDRAND
  intel_.leaves[{7, 0}].ebx &= ~(1u << 8);           // BMI2
  intel_.leaves[{0x80000007, 0}].edx &= ~(1u << 8);  // invariant TSC
  Build(intel_);
  EXPECT_EQ(At(1).ecx & 1u << 30, 0u);
  EXPECT_EQ(At(7).ebx & 1u << 8, 0u);
  EXPECT_EQ(At(0x80000007).edx, 0u);
}

TEST_F(CpuidPolicyTest, WhatThisServiceBringsIsShownOnAnyHost) {
  intel_.leaves[{1, 0}].ecx = 0;
  Build(intel_);
  EXPECT_EQ(At(1).ecx, 1u << 21 | 1u << 24 | 1u << 31);  // x2APIC, TSC-deadline, hypervisor
  EXPECT_EQ(At(6).eax, 1u << 2);                         // the APIC timer always runs
}

TEST_F(CpuidPolicyTest, WithoutAvxNothingBuiltOnItRemains) {
  constexpr uint32_t kBuiltOnAvx = 1u << 12 | 1u << 28 | 1u << 29;  // FMA, AVX, F16C
  const auto expect_none = [&] {
    Build(intel_);
    EXPECT_EQ(At(1).ecx & kBuiltOnAvx, 0u);
    EXPECT_EQ(At(7).ebx & 1u << 5, 0u);
    EXPECT_EQ(At(7).ecx & 0x600, 0u);
    EXPECT_EQ(At(7, 1).eax, 0u);
    EXPECT_NE(At(7).ebx & 1u << 3, 0u);  // BMI1 needs none
    EXPECT_FALSE(Has(0xd, 2));
  };
  intel_.leaves[{1, 0}].ecx = kAllOnes & ~(1u << 28);
  expect_none();
  EXPECT_EQ(At(0xd).eax, 3u);
  EXPECT_EQ(At(0xd).ecx, 576u);
  intel_.leaves[{1, 0}].ecx = kAllOnes;
  intel_.leaves[{0xd, 0}].eax = 3;  // the CPU cannot save its upper halves
  expect_none();
}

TEST_F(CpuidPolicyTest, AHostSystemWithoutXsaveTakesXsaveAndAvxAway) {
  for (const uint32_t missing : {1u << 26, 1u << 27}) {  // XSAVE, OSXSAVE
    intel_.leaves[{1, 0}].ecx = kAllOnes & ~missing;
    Build(intel_);
    EXPECT_EQ(At(1).ecx & (1u << 26 | 1u << 28), 0u);
    EXPECT_EQ(At(7).ebx & 1u << 5, 0u);
    EXPECT_FALSE(Has(0xd));
  }
}

TEST_F(CpuidPolicyTest, ExtendedStateIsX87SseAndAvx) {
  Build(amd_);
  EXPECT_EQ(At(0xd).eax, 7u);
  EXPECT_EQ(At(0xd).edx, 0u);
  EXPECT_EQ(At(0xd).ecx, 832u);
  EXPECT_EQ(At(0xd, 2).eax, 256u);
  EXPECT_EQ(At(0xd, 2).ebx, 576u);
  EXPECT_FALSE(Has(0xd, 5));
}

TEST_F(CpuidPolicyTest, LeavesTheHostDoesNotHaveAreZero) {
  amd_.leaves[{0, 0}].eax = 1;
  amd_.leaves[{0x80000000, 0}].eax = 0x80000001;
  Build(amd_);
  EXPECT_EQ(At(7).ebx, 1u << 1);  // TSC_ADJUST is hv's own
  EXPECT_EQ(At(0x80000005).eax, 0u);
  EXPECT_EQ(At(0x80000007).edx, 0u);
}

TEST_F(CpuidPolicyTest, EveryCpuIsACoreOfOnePackage) {
  struct {
    uint32_t cpus, id_bits;
  } const machines[] = {{1, 0}, {2, 1}, {3, 2}, {4, 2}, {5, 3}, {64, 6}};
  for (const auto& machine : machines) {
    Build(intel_, machine.cpus);
    EXPECT_EQ(At(1).ebx & 0x00ffff00, machine.cpus << 16 | 0x5600);
    EXPECT_EQ(At(1).edx >> 28 & 1, machine.cpus > 1 ? 1u : 0u);
    EXPECT_EQ(At(0xb, 0).eax, 0u);
    EXPECT_EQ(At(0xb, 0).ebx, 1u);
    EXPECT_EQ(At(0xb, 0).ecx, 0x100u);
    EXPECT_EQ(At(0xb, 1).eax, machine.id_bits);
    EXPECT_EQ(At(0xb, 1).ebx, machine.cpus);
    EXPECT_EQ(At(0xb, 1).ecx, 0x201u);
    EXPECT_EQ(At(0xb, 2).ebx, 0u);
    EXPECT_FALSE(Has(0x1f));
  }
}

TEST_F(CpuidPolicyTest, AmdCountsCoresInItsOwnLeaves) {
  Build(amd_, 6);
  EXPECT_EQ(At(0x80000008).ecx, 5u | 3u << 12);
  EXPECT_EQ(At(0x80000001).ecx >> 1 & 1, 1u);  // CmpLegacy
  Build(amd_, 1);
  EXPECT_EQ(At(0x80000008).ecx, 0u);
  EXPECT_EQ(At(0x80000001).ecx >> 1 & 1, 0u);
  Build(intel_, 6);
  EXPECT_EQ(At(0x80000008).ecx, 0u);
}

TEST_F(CpuidPolicyTest, CachesUpToLevelTwoBelongToACore) {
  Build(intel_, 4);
  for (const uint32_t subleaf : {0u, 1u, 2u}) EXPECT_EQ(At(4, subleaf).eax >> 14 & 0xfff, 0u);
  EXPECT_EQ(At(4, 3).eax >> 14 & 0xfff, 3u);
  EXPECT_EQ(At(4, 3).eax >> 26, 3u);
  EXPECT_EQ(At(4, 3).eax & 0x3fff, 0x163u);
  EXPECT_EQ(At(4, 3).ebx, 0x1c0003fu);
  EXPECT_FALSE(Has(4, 4));
  Build(amd_, 4);
  EXPECT_EQ(At(0x8000001d, 3).eax, 3u << 14 | 0x163);
}

TEST_F(CpuidPolicyTest, LeavesOfTheOtherVendorAreAbsent) {
  Build(intel_);
  EXPECT_EQ(At(0).eax, 0x16u);
  EXPECT_EQ(At(0x80000000).eax, 0x80000008u);
  EXPECT_FALSE(Has(0x8000001d));
  Build(amd_);
  EXPECT_EQ(At(0).eax, 0xdu);
  EXPECT_EQ(At(0x80000000).eax, 0x8000001eu);
  for (const uint32_t leaf : {2u, 4u, 0x15u, 0x16u}) EXPECT_FALSE(Has(leaf));
}

TEST_F(CpuidPolicyTest, WithoutTopologyExtensionsTheirLeavesAreAbsent) {
  amd_.leaves[{0x80000001, 0}].ecx &= ~(1u << 22);
  Build(amd_);
  EXPECT_EQ(At(0x80000000).eax, 0x80000008u);
  EXPECT_EQ(At(0x80000001).ecx & 1u << 22, 0u);
  EXPECT_FALSE(Has(0x8000001d));
  EXPECT_FALSE(Has(0x8000001e));
}

TEST_F(CpuidPolicyTest, AddressesHave46PhysicalAnd48LinearBits) {
  Build(intel_);
  EXPECT_EQ(At(0x80000008).eax, 0x302eu);
}

TEST_F(CpuidPolicyTest, TheApicTimersClockIsTheBusClockAndNoCrystal) {
  Build(intel_);
  EXPECT_FALSE(Has(0x15));
  EXPECT_EQ(At(0x16).eax, 2400u);
  EXPECT_EQ(At(0x16).ecx, HV_LOCAL_APIC_TIMER_HZ / 1'000'000);
}

std::string NameIn(const Registers& leaf) {
  const uint32_t words[] = {leaf.ebx, leaf.ecx, leaf.edx};
  return std::string(reinterpret_cast<const char*>(words), 12);
}

TEST_F(CpuidPolicyTest, HypervisorLeavesOfferKvmsClockAndFrequenciesAndNameHv) {
  Build(amd_);
  EXPECT_EQ(At(0x40000000).eax, 0x40000010u);
  EXPECT_EQ(NameIn(At(0x40000000)), std::string("KVMKVMKVM\0\0\0", 12));
  EXPECT_EQ(At(0x40000001).eax, 1u << 1 | 1u << 3 | 1u << 24);
  EXPECT_EQ(At(0x40000100).eax, 0x40000100u);
  EXPECT_EQ(NameIn(At(0x40000100)), "hvhvhvhvhvhv");
  EXPECT_EQ(At(0x40000010).eax, kTscHz / 1000);
  EXPECT_EQ(At(0x40000010).ebx, HV_LOCAL_APIC_TIMER_HZ / 1000);
}

TEST_F(CpuidPolicyTest, TheTableFitsItsSegmentAndNamesNothingTwice) {
  for (const FakeHost* host : {&intel_, &amd_}) {
    Build(*host, 64);
    EXPECT_LE(table_.size(), HV_MAX_CPUID_ENTRIES);
    std::map<std::pair<uint32_t, uint32_t>, int> seen;
    for (const hv_cpuid_entry& entry : table_) {
      EXPECT_EQ((++seen[{entry.leaf, entry.subleaf}]), 1) << std::hex << entry.leaf;
    }
  }
}

TEST_F(CpuidPolicyTest, ThisHostCanBeAsked) {
  Build(HostCpuid());
  EXPECT_NE(At(0).ebx, 0u);
  EXPECT_NE(At(1).edx & 1u << 25, 0u);  // SSE, which every x86-64 has
}

}  // namespace
}  // namespace hv::vcpu
