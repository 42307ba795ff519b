#include "vcpu_svc/cpuid_policy.h"

#include <cpuid.h>

#include <bit>
#include <cstring>

#include "abi/platform.h"
#include "vcpu_svc/physical_address.h"

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
// Leaf 1 ECX: SSE3, PCLMULQDQ, SSSE3, FMA, CMPXCHG16B, PCID, SSE4.1, SSE4.2, MOVBE, POPCNT, AES,
// XSAVE, AVX, F16C, RDRAND. Not: MONITOR, VMX, SMX, PDCM. x2APIC and TSC-deadline are this
// service's.
constexpr uint32_t kLeaf1Ecx = Bits({0, 1, 9, 12, 13, 17, 19, 20, 22, 23, 25, 26, 28, 29, 30});
constexpr uint32_t kX2apic = Bits({21}), kTscDeadline = Bits({24}), kHypervisor = Bits({31});
constexpr uint32_t kXsave = Bits({26}), kOsxsave = Bits({27});
constexpr uint32_t kAvx = Bits({28}), kNeedAvx = Bits({12, 29});  // FMA, F16C
// Leaf 1 EDX: FPU, DE, PSE, TSC, MSR, PAE, CX8, APIC, SEP, MTRR, PGE, CMOV, PAT, PSE36, CLFSH, MMX,
// FXSR, SSE, SSE2. Not: VME, MCE, MCA, thermal. HTT is set where there are several CPUs.
constexpr uint32_t kLeaf1Edx =
    Bits({0, 2, 3, 4, 5, 6, 8, 9, 11, 12, 13, 15, 16, 17, 19, 23, 24, 25, 26});
constexpr uint32_t kHtt = Bits({28});
// Leaf 7 EBX: FSGSBASE, BMI1, AVX2, SMEP, BMI2, ERMS, INVPCID, RDSEED, ADX, SMAP, CLFLUSHOPT, CLWB,
// SHA; TSC_ADJUST is there whatever the host has, the counter being the engine's. ECX: UMIP, GFNI,
// VAES, VPCLMULQDQ, RDPID. EDX: FSRM, SERIALIZE. Subleaf 1 EAX: AVX-VNNI.
constexpr uint32_t kLeaf7Ebx = Bits({0, 3, 5, 7, 8, 9, 10, 18, 19, 20, 23, 24, 29});
constexpr uint32_t kLeaf7Ecx = Bits({2, 8, 9, 10, 22});
constexpr uint32_t kLeaf7Edx = Bits({4, 14});
constexpr uint32_t kAvxVnni = Bits({4});
constexpr uint32_t kArchCapabilities = Bits({29});
constexpr uint32_t kTscAdjust = Bits({1});
constexpr uint32_t kAvx2 = Bits({5}), kVectorAesAndClmul = Bits({9, 10});
// Leaf 0DH.1: XSAVEOPT, XSAVEC. Not: XGETBV(1), XSAVES.
constexpr uint32_t kLeafD1Eax = Bits({0, 1});
// 80000001H ECX: LAHF64, LZCNT, 3DNow prefetch. EDX: SYSCALL, NX, 1 GiB pages, RDTSCP, long mode,
// and AMD's copies of leaf 1.
constexpr uint32_t kExtended1Ecx = Bits({0, 5, 8});
constexpr uint32_t kExtended1Edx =
    Bits({0, 2, 3, 4, 5, 6, 8, 9, 11, 12, 13, 15, 16, 17, 20, 23, 24, 26, 27, 29});
constexpr uint32_t kCmpLegacy = Bits({1}), kTopologyExtensions = Bits({22});
constexpr uint32_t kInvariantTsc = Bits({8});
constexpr uint32_t kAlwaysRunningApicTimer = Bits({2});

constexpr uint32_t kX87AndSseState = 3, kAvxState = 4;
constexpr uint32_t kX87AndSseBytes = 576, kAvxBytes = 256;
constexpr uint32_t kHypervisorBase = 0x40000000, kHypervisorFeatures = 0x40000001,
                   kHypervisorTiming = 0x40000010, kOwnBase = 0x40000100;
// What guests look for to find the paravirtual clock; hv's own name comes second.
constexpr char kKvmName[] = "KVMKVMKVM\0\0";
constexpr char kOwnName[] = "hvhvhvhvhvhv";
// KVM_FEATURE_NOP_IO_DELAY, CLOCKSOURCE2, CLOCKSOURCE_STABLE_BIT.
constexpr uint32_t kKvmFeatures = Bits({1, 3, 24});
constexpr uint32_t kLinearBits = 48;
constexpr uint32_t kLevelCore = 2, kLevelThread = 1;
constexpr uint32_t kMaxCacheSubleaves = 8;

class Builder {
 public:
  Builder(const CpuidSource& source, const CpuidPolicy& policy)
      : source_(source),
        policy_(policy),
        intel_(IsIntel(source)),
        xsave_((Host(1).ecx & kXsave) != 0 && (Host(1).ecx & kOsxsave) != 0),
        avx_(xsave_ && (Host(1).ecx & kAvx) != 0 && (Host(0xd).eax & kAvxState) != 0),
        topology_extensions_(!intel_ && (Host(0x80000001).ecx & kTopologyExtensions) != 0) {}

  std::vector<hv_cpuid_entry> Build() {
    Basic();
    Extended();
    Hypervisor();
    return std::move(table_);
  }

 private:
  // Zeroes for leaves the host does not have, where Intel's CPUs would repeat the highest one.
  Registers Host(uint32_t leaf, uint32_t subleaf = 0) const {
    if (leaf > source_.Get(leaf & 0x80000000, 0).eax) return {};
    return source_.Get(leaf, subleaf);
  }
  void Add(uint32_t leaf, const Registers& r) {
    table_.push_back({leaf, 0, 0, r.eax, r.ebx, r.ecx, r.edx, 0});
  }
  void Add(uint32_t leaf, uint32_t subleaf, const Registers& r) {
    table_.push_back({leaf, subleaf, HV_CPUID_SUBLEAF_MATTERS, r.eax, r.ebx, r.ecx, r.edx, 0});
  }
  // Bits of an APIC id that tell the CPUs apart.
  uint32_t IdBits() const { return static_cast<uint32_t>(std::bit_width(policy_.cpus - 1)); }

  void Basic() {
    Registers vendor = Host(0);
    vendor.eax = intel_ ? 0x16 : 0xd;
    Add(0, vendor);
    Features();
    if (intel_) {
      Add(2, Host(2));
      Caches(4);
    }
    Add(6, {.eax = kAlwaysRunningApicTimer});
    ExtendedFeatures();
    Topology();
    if (xsave_) ExtendedState();
    if (intel_) Frequencies();
  }

  void Features() {
    Registers r = Host(1);
    r.ebx = (r.ebx & 0x0000ff00) | policy_.cpus << 16;
    r.ecx &= kLeaf1Ecx;
    if (!xsave_) r.ecx &= ~kXsave;
    if (!avx_) r.ecx &= ~(kAvx | kNeedAvx);
    r.ecx |= kX2apic | kTscDeadline | kHypervisor;
    r.edx &= kLeaf1Edx;
    if (policy_.cpus > 1) r.edx |= kHtt;
    Add(1, r);
  }

  void ExtendedFeatures() {
    const Registers host = Host(7);
    const uint32_t last_subleaf = std::min(host.eax, 1u);
    Registers r{.eax = last_subleaf,
                .ebx = (host.ebx & kLeaf7Ebx) | kTscAdjust,
                .ecx = host.ecx & kLeaf7Ecx,
                .edx = host.edx & kLeaf7Edx};
    if (intel_) r.edx |= kArchCapabilities;  // the MSR is vcpu_svc's own
    if (!avx_) {
      r.ebx &= ~kAvx2;
      r.ecx &= ~kVectorAesAndClmul;
    }
    Add(7, 0, r);
    if (last_subleaf < 1) return;
    Add(7, 1, {.eax = avx_ ? Host(7, 1).eax & kAvxVnni : 0});
  }

  // Deterministic cache parameters: Intel's leaf 4, AMD's 8000001DH.
  void Caches(uint32_t leaf) {
    for (uint32_t i = 0; i < kMaxCacheSubleaves; ++i) {
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
    Add(0xb, 0, {.eax = 0, .ebx = 1, .ecx = kLevelThread << 8 | 0});
    Add(0xb, 1, {.eax = IdBits(), .ebx = policy_.cpus, .ecx = kLevelCore << 8 | 1});
    Add(0xb, 2, {.ecx = 2});
  }

  void ExtendedState() {
    const uint32_t bytes = kX87AndSseBytes + (avx_ ? kAvxBytes : 0);
    const uint32_t components = kX87AndSseState | (avx_ ? kAvxState : 0);
    Add(0xd, 0, {.eax = components, .ebx = bytes, .ecx = bytes});
    Add(0xd, 1, {.eax = Host(0xd, 1).eax & kLeafD1Eax, .ebx = bytes});
    if (avx_) Add(0xd, 2, {.eax = kAvxBytes, .ebx = kX87AndSseBytes});
  }

  // Leaf 15H stays zero: were a crystal named there, the APIC timer would have to run at its rate
  // (SDM vol. 3, 11.5.4). Without one it runs at the bus clock of leaf 16H. All in MHz.
  void Frequencies() {
    const auto tsc_mhz = static_cast<uint32_t>(policy_.tsc_hz / 1'000'000);
    Add(0x16, {.eax = tsc_mhz, .ebx = tsc_mhz, .ecx = HV_LOCAL_APIC_TIMER_HZ / 1'000'000});
  }

  void Extended() {
    Registers first = Host(0x80000000);
    first.eax = topology_extensions_ ? 0x8000001e : 0x80000008;
    Add(0x80000000, first);
    Registers features = Host(0x80000001);
    features.ecx &= kExtended1Ecx;
    features.edx &= kExtended1Edx;
    if (topology_extensions_) features.ecx |= kTopologyExtensions;
    if (!intel_ && policy_.cpus > 1) features.ecx |= kCmpLegacy;  // HTT there means cores
    Add(0x80000001, features);
    for (uint32_t leaf = 0x80000002; leaf <= 0x80000006; ++leaf) Add(leaf, Host(leaf));
    Add(0x80000007, {.edx = Host(0x80000007).edx & kInvariantTsc});
    Registers sizes{.eax = kPhysicalAddressBits | kLinearBits << 8};
    if (!intel_) sizes.ecx = (policy_.cpus - 1) | IdBits() << 12;
    Add(0x80000008, sizes);
    if (topology_extensions_) {
      Caches(0x8000001d);
      Add(0x8000001e, {});  // core id in EBX, APIC id in EAX: patched by the reader
    }
  }

  void Hypervisor() {
    AddName(kHypervisorBase, kHypervisorTiming, kKvmName);
    Add(kHypervisorFeatures, {.eax = kKvmFeatures});
    // The convention of VMware, KVM and others: TSC and APIC bus frequency in kHz.
    Add(kHypervisorTiming, {.eax = static_cast<uint32_t>(policy_.tsc_hz / 1000),
                            .ebx = HV_LOCAL_APIC_TIMER_HZ / 1000});
    AddName(kOwnBase, kOwnBase, kOwnName);
  }

  // A hypervisor's first leaf: its last leaf and twelve letters.
  void AddName(uint32_t base, uint32_t last, const char* name) {
    Registers registers{.eax = last};
    std::memcpy(&registers.ebx, name, 4);
    std::memcpy(&registers.ecx, name + 4, 4);
    std::memcpy(&registers.edx, name + 8, 4);
    Add(base, registers);
  }

  const CpuidSource& source_;
  const CpuidPolicy policy_;
  const bool intel_;
  const bool xsave_;
  const bool avx_;
  const bool topology_extensions_;
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
