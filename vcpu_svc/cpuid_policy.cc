#include "vcpu_svc/cpuid_policy.h"

#include <cpuid.h>

#include <bit>
#include <cstring>

#include "abi/platform.h"

namespace hv::vcpu {
namespace {

using Registers = CpuidSource::Registers;

constexpr uint32_t Bits(std::initializer_list<int> bits) {
  uint32_t mask = 0;
  for (int bit : bits) mask |= 1u << bit;
  return mask;
}

// What the soft engine executes (its availability.cc has the other side). Names by bit, SDM vol. 2,
// CPUID; AMD APM vol. 3, appendix E.
// Leaf 1 ECX: SSE3, PCLMULQDQ, SSSE3, FMA, CMPXCHG16B, PCID, SSE4.1, SSE4.2, x2APIC, MOVBE, POPCNT,
// TSC-deadline, AES, XSAVE, AVX, F16C, RDRAND. Not: MONITOR, VMX, SMX, PDCM.
constexpr uint32_t kLeaf1Ecx = Bits({0, 1, 9, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 28, 29, 30});
constexpr uint32_t kX2apic = 1u << 21, kTscDeadline = 1u << 24, kHypervisor = 1u << 31;
// Leaf 1 EDX: FPU, DE, PSE, TSC, MSR, PAE, CX8, APIC, SEP, MTRR, PGE, CMOV, PAT, PSE36, CLFSH, MMX,
// FXSR, SSE, SSE2. Not: VME, MCE, MCA, HTT, thermal.
constexpr uint32_t kLeaf1Edx = Bits({0, 2, 3, 4, 5, 6, 8, 9, 11, 12, 13, 15, 16, 17, 19, 23, 24, 25, 26});
// Leaf 7 EBX: FSGSBASE, TSC_ADJUST, BMI1, AVX2, SMEP, BMI2, ERMS, INVPCID, RDSEED, ADX, SMAP,
// CLFLUSHOPT, CLWB, SHA. ECX: UMIP, GFNI, VAES, VPCLMULQDQ, RDPID. EDX: FSRM.
constexpr uint32_t kLeaf7Ebx = Bits({0, 1, 3, 5, 7, 8, 9, 10, 18, 19, 20, 23, 24, 29});
constexpr uint32_t kLeaf7Ecx = Bits({2, 8, 9, 10, 22});
constexpr uint32_t kLeaf7Edx = Bits({4});
// Leaf 0DH.1: XSAVEOPT, XSAVEC. Not: XGETBV(1), XSAVES.
constexpr uint32_t kLeafD1Eax = Bits({0, 1});
// 80000001H ECX: LAHF64, LZCNT, 3DNow prefetch. EDX: SYSCALL, NX, 1 GiB pages, RDTSCP, long mode,
// and AMD's copies of leaf 1.
constexpr uint32_t kExtended1Ecx = Bits({0, 5, 8});
constexpr uint32_t kExtended1Edx =
    Bits({0, 2, 3, 4, 5, 6, 8, 9, 11, 12, 13, 15, 16, 17, 20, 23, 24, 26, 27, 29});
constexpr uint32_t kInvariantTsc = 1u << 8;

constexpr uint32_t kXsaveBytes = 832;   // x87, SSE, AVX
constexpr uint32_t kAvxBytes = 256, kAvxOffset = 576;
constexpr uint32_t kHighestBasic = 0x16;
constexpr uint32_t kHighestExtended = 0x8000001e;
constexpr uint32_t kHypervisorBase = 0x40000000, kHypervisorLast = 0x40000010;
constexpr char kHypervisorName[] = "hvhvhvhvhvhv";
constexpr uint32_t kPhysicalBits = 46, kLinearBits = 48;
constexpr uint32_t kLevelCore = 2, kLevelThread = 1;

class Builder {
 public:
  Builder(const CpuidSource& source, const CpuidPolicy& policy)
      : source_(source), policy_(policy), intel_(IsIntel(source)) {}

  std::vector<hv_cpuid_entry> Build() {
    Basic();
    Extended();
    Hypervisor();
    return std::move(table_);
  }

 private:
  Registers Host(uint32_t leaf, uint32_t subleaf = 0) const { return source_.Get(leaf, subleaf); }
  void Add(uint32_t leaf, const Registers& r) {
    table_.push_back({leaf, 0, 0, r.eax, r.ebx, r.ecx, r.edx, 0});
  }
  void Add(uint32_t leaf, uint32_t subleaf, const Registers& r) {
    table_.push_back({leaf, subleaf, HV_CPUID_SUBLEAF_MATTERS, r.eax, r.ebx, r.ecx, r.edx, 0});
  }
  uint32_t HostMax(uint32_t base) const { return Host(base).eax; }

  void Basic() {
    Registers vendor = Host(0);
    const uint32_t host_max = vendor.eax;
    vendor.eax = kHighestBasic;
    Add(0, vendor);
    Registers features = Host(1);
    features.ebx = (features.ebx & 0x0000ff00) | policy_.cpus << 16;
    features.ecx = (features.ecx & kLeaf1Ecx) | kX2apic | kTscDeadline | kHypervisor;
    features.edx &= kLeaf1Edx;
    if (policy_.cpus > 1) features.edx |= 1u << 28;  // HTT: the count in EBX counts
    Add(1, features);
    if (intel_) {
      Add(2, Host(2));
      Caches(4, host_max);
    }
    Add(6, {.eax = 1u << 2});  // ARAT: the APIC timer never stops
    if (host_max >= 7) {
      const Registers host = Host(7);
      Add(7, 0, {.ebx = host.ebx & kLeaf7Ebx, .ecx = host.ecx & kLeaf7Ecx,
                 .edx = host.edx & kLeaf7Edx});
    }
    Topology();
    if (host_max >= 0xd) ExtendedStateLeaves();
    if (intel_) {
      // TSC = crystal * EBX / EAX, with a crystal of 1 GHz / 40.
      Add(0x15, {.eax = 1000, .ebx = static_cast<uint32_t>(policy_.tsc_hz / 25000),
                 .ecx = 25'000'000});
    }
  }

  void Caches(uint32_t leaf, uint32_t host_max) {
    if (host_max < leaf) return;
    for (uint32_t i = 0; i < 8; ++i) {
      Registers r = Host(leaf, i);
      if ((r.eax & 0x1f) == 0) break;
      // Caches up to level 2 belong to a core, higher ones to all.
      const uint32_t level = r.eax >> 5 & 7;
      const uint32_t sharing = level >= 3 ? policy_.cpus - 1 : 0;
      r.eax = (r.eax & 0x3fff) | sharing << 14;
      if (intel_) r.eax |= (policy_.cpus - 1) << 26;
      Add(leaf, i, r);
    }
  }

  void Topology() {
    const auto width = static_cast<uint32_t>(std::bit_width(policy_.cpus - 1));
    Add(0xb, 0, {.eax = 0, .ebx = 1, .ecx = kLevelThread << 8 | 0});
    Add(0xb, 1, {.eax = width, .ebx = policy_.cpus, .ecx = kLevelCore << 8 | 1});
    Add(0xb, 2, {.ecx = 2});
  }

  void ExtendedStateLeaves() {
    Add(0xd, 0, {.eax = 7, .ebx = kXsaveBytes, .ecx = kXsaveBytes});
    Add(0xd, 1, {.eax = Host(0xd, 1).eax & kLeafD1Eax, .ebx = kXsaveBytes});
    Add(0xd, 2, {.eax = kAvxBytes, .ebx = kAvxOffset});
  }

  void Extended() {
    const uint32_t host_max = HostMax(0x80000000);
    Registers first = Host(0x80000000);
    first.eax = intel_ ? 0x80000008 : kHighestExtended;
    Add(0x80000000, first);
    Registers features = Host(0x80000001);
    features.ecx &= kExtended1Ecx;
    features.edx &= kExtended1Edx;
    Add(0x80000001, features);
    for (uint32_t leaf = 0x80000002; leaf <= 0x80000006; ++leaf) Add(leaf, Host(leaf));
    Add(0x80000007, {.edx = host_max >= 0x80000007 ? Host(0x80000007).edx & kInvariantTsc : 0});
    const auto width = static_cast<uint32_t>(std::bit_width(policy_.cpus - 1));
    Registers sizes{.eax = kPhysicalBits | kLinearBits << 8};
    if (!intel_) sizes.ecx = (policy_.cpus - 1) | width << 12;
    Add(0x80000008, sizes);
    if (!intel_) {
      Caches(0x8000001d, host_max);
      Add(0x8000001e, {});  // core id in EBX, APIC id in EAX: patched by the reader
    }
  }

  void Hypervisor() {
    Registers name{.eax = kHypervisorLast};
    std::memcpy(&name.ebx, kHypervisorName, 4);
    std::memcpy(&name.ecx, kHypervisorName + 4, 4);
    std::memcpy(&name.edx, kHypervisorName + 8, 4);
    Add(kHypervisorBase, name);
    // The convention of VMware, KVM and others: TSC and APIC bus frequency in kHz.
    Add(kHypervisorLast, {.eax = static_cast<uint32_t>(policy_.tsc_hz / 1000),
                          .ebx = HV_LOCAL_APIC_TIMER_HZ / 1000});
  }

  const CpuidSource& source_;
  const CpuidPolicy policy_;
  const bool intel_;
  std::vector<hv_cpuid_entry> table_;
};

}  // namespace

Registers HostCpuid::Get(uint32_t leaf, uint32_t subleaf) const {
  Registers r;
  __cpuid_count(leaf, subleaf, r.eax, r.ebx, r.ecx, r.edx);
  return r;
}

bool IsIntel(const CpuidSource& source) {
  constexpr uint32_t kGenu = 0x756e6547;
  return source.Get(0, 0).ebx == kGenu;
}

std::vector<hv_cpuid_entry> BuildCpuidTable(const CpuidSource& source, const CpuidPolicy& policy) {
  return Builder(source, policy).Build();
}

}  // namespace hv::vcpu
