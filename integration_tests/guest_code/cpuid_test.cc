// What CPUID shows the guest is what the engine executes, and nothing else: each feature of
// vcpu_svc's policy, by an instruction of it or by the bit of a control register that goes with it.
#include <gtest/gtest.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "hv_kernel/soft/test_machine.h"
#include "vcpu_svc/cpuid_policy.h"

namespace hv::soft {
namespace {

enum class Register { kEax, kEbx, kEcx, kEdx };

struct Feature {
  const char* name;
  uint32_t leaf, subleaf;
  Register reg;
  int bit;
  std::vector<uint8_t> code;  // one instruction
  uint64_t cr4 = 0;           // bits it needs
};

constexpr uint32_t kExtended = 0x80000001;
constexpr uint64_t kFsgsbase = 1 << 16, kPcide = 1 << 17, kSmep = 1 << 20, kSmap = 1 << 21,
                   kUmip = 1 << 11, kTsd = 1 << 2, kDe = 1 << 3, kPse = 1 << 4, kPge = 1 << 7;
constexpr std::initializer_list<uint8_t> kMovCr4 = {0x0f, 0x22, 0xe0};  // mov cr4, rax

// RBX and RSI are kData, RDI kData + 0x100, the others zero, but for RAX of MOV CR4.
const Feature kFeatures[] = {
    // Leaf 1 ECX.
    {"SSE3", 1, 0, Register::kEcx, 0, {0xf2, 0x0f, 0xd0, 0xc1}},
    {"PCLMULQDQ", 1, 0, Register::kEcx, 1, {0x66, 0x0f, 0x3a, 0x44, 0xc1, 0}},
    {"SSSE3", 1, 0, Register::kEcx, 9, {0x66, 0x0f, 0x38, 0x1c, 0xc1}},
    {"FMA", 1, 0, Register::kEcx, 12, {0xc4, 0xe2, 0x71, 0x98, 0xc2}},
    {"CMPXCHG16B", 1, 0, Register::kEcx, 13, {0x48, 0x0f, 0xc7, 0x0b}},
    {"PCID", 1, 0, Register::kEcx, 17, kMovCr4, kPcide},
    {"SSE41", 1, 0, Register::kEcx, 19, {0x66, 0x0f, 0x38, 0x40, 0xc1}},
    {"SSE42", 1, 0, Register::kEcx, 20, {0xf2, 0x0f, 0x38, 0xf1, 0xc1}},
    {"MOVBE", 1, 0, Register::kEcx, 22, {0x0f, 0x38, 0xf0, 0x03}},
    {"POPCNT", 1, 0, Register::kEcx, 23, {0xf3, 0x0f, 0xb8, 0xc1}},
    {"AES", 1, 0, Register::kEcx, 25, {0x66, 0x0f, 0x38, 0xdc, 0xc1}},
    {"XSAVE", 1, 0, Register::kEcx, 26, {0x0f, 0xae, 0x23}},
    {"AVX", 1, 0, Register::kEcx, 28, {0xc5, 0xf4, 0x58, 0xc2}},
    {"F16C", 1, 0, Register::kEcx, 29, {0xc4, 0xe2, 0x79, 0x13, 0xc1}},
    {"RDRAND", 1, 0, Register::kEcx, 30, {0x0f, 0xc7, 0xf0}},
    // Leaf 1 EDX.
    {"FPU", 1, 0, Register::kEdx, 0, {0xd9, 0xe8}},
    {"DE", 1, 0, Register::kEdx, 2, kMovCr4, kDe},
    {"PSE", 1, 0, Register::kEdx, 3, kMovCr4, kPse},
    {"TSC", 1, 0, Register::kEdx, 4, {0x0f, 0x31}},
    {"TSD", 1, 0, Register::kEdx, 4, kMovCr4, kTsd},
    {"CX8", 1, 0, Register::kEdx, 8, {0x0f, 0xc7, 0x0b}},
    {"PGE", 1, 0, Register::kEdx, 13, kMovCr4, kPge},
    {"CMOV", 1, 0, Register::kEdx, 15, {0x0f, 0x44, 0xc1}},
    {"CLFSH", 1, 0, Register::kEdx, 19, {0x0f, 0xae, 0x3b}},
    {"MMX", 1, 0, Register::kEdx, 23, {0x0f, 0xfc, 0xc1}},
    {"FXSR", 1, 0, Register::kEdx, 24, {0x0f, 0xae, 0x03}},
    {"SSE", 1, 0, Register::kEdx, 25, {0x0f, 0x58, 0xc1}},
    {"SSE2", 1, 0, Register::kEdx, 26, {0x66, 0x0f, 0x58, 0xc1}},
    // Leaf 7.
    {"FSGSBASE", 7, 0, Register::kEbx, 0, {0xf3, 0x48, 0x0f, 0xae, 0xc0}, kFsgsbase},
    {"BMI1", 7, 0, Register::kEbx, 3, {0xc4, 0xe2, 0x70, 0xf2, 0xc2}},
    {"AVX2", 7, 0, Register::kEbx, 5, {0xc5, 0xf5, 0xfc, 0xc2}},
    {"SMEP", 7, 0, Register::kEbx, 7, kMovCr4, kSmep},
    {"BMI2", 7, 0, Register::kEbx, 8, {0xc4, 0xe2, 0x73, 0xf6, 0xc2}},
    {"ERMS", 7, 0, Register::kEbx, 9, {0xf3, 0xa4}},
    {"INVPCID", 7, 0, Register::kEbx, 10, {0x66, 0x0f, 0x38, 0x82, 0x03}},
    {"RDSEED", 7, 0, Register::kEbx, 18, {0x0f, 0xc7, 0xf8}},
    {"ADX", 7, 0, Register::kEbx, 19, {0x66, 0x0f, 0x38, 0xf6, 0xc1}},
    {"SMAP", 7, 0, Register::kEbx, 20, {0x0f, 0x01, 0xcb}},
    {"CLFLUSHOPT", 7, 0, Register::kEbx, 23, {0x66, 0x0f, 0xae, 0x3b}},
    {"CLWB", 7, 0, Register::kEbx, 24, {0x66, 0x0f, 0xae, 0x33}},
    {"SHA", 7, 0, Register::kEbx, 29, {0x0f, 0x38, 0xc8, 0xc1}},
    {"UMIP", 7, 0, Register::kEcx, 2, kMovCr4, kUmip},
    {"GFNI", 7, 0, Register::kEcx, 8, {0x66, 0x0f, 0x38, 0xcf, 0xc1}},
    {"VAES", 7, 0, Register::kEcx, 9, {0xc4, 0xe2, 0x75, 0xdc, 0xc2}},
    {"VPCLMULQDQ", 7, 0, Register::kEcx, 10, {0xc4, 0xe3, 0x75, 0x44, 0xc2, 0}},
    {"RDPID", 7, 0, Register::kEcx, 22, {0xf3, 0x0f, 0xc7, 0xf8}},
    {"SERIALIZE", 7, 0, Register::kEdx, 14, {0x0f, 0x01, 0xe8}},
    {"AVXVNNI", 7, 1, Register::kEax, 4, {0xc4, 0xe2, 0x71, 0x50, 0xc2}},
    // Leaf 0DH.1 and the extended leaf.
    {"XSAVEOPT", 0xd, 1, Register::kEax, 0, {0x0f, 0xae, 0x33}},
    {"XSAVEC", 0xd, 1, Register::kEax, 1, {0x0f, 0xc7, 0x23}},
    {"LAHF64", kExtended, 0, Register::kEcx, 0, {0x9f}},
    {"LZCNT", kExtended, 0, Register::kEcx, 5, {0xf3, 0x0f, 0xbd, 0xc1}},
    {"PREFETCHW", kExtended, 0, Register::kEcx, 8, {0x0f, 0x0d, 0x0b}},
    {"RDTSCP", kExtended, 0, Register::kEdx, 27, {0x0f, 0x01, 0xf9}},
};

// Features whose instructions the engine runs by itself, whether or not the host has them.
bool NeedsNoHost(const std::string& name) {
  for (const char* own : {"FSGSBASE", "INVPCID", "SMAP", "CLFLUSHOPT", "CLWB", "RDPID", "XSAVEOPT",
                          "XSAVEC", "RDTSCP"}) {
    if (name == own) return true;
  }
  return false;
}

// Not shown on any host, though one may have them; #UD in the guest.
const Feature kMasked[] = {
    {"MONITOR", 1, 0, Register::kEcx, 3, {0x0f, 0x01, 0xc8}},
    {"VMX", 1, 0, Register::kEcx, 5, {0x0f, 0x01, 0xc4}},
    {"RTM", 7, 0, Register::kEbx, 11, {0xc7, 0xf8, 0, 0, 0, 0}},
    {"AVX512F", 7, 0, Register::kEbx, 16, {0x62, 0xf1, 0x7c, 0x48, 0x58, 0xc1}},
    {"PKU", 7, 0, Register::kEcx, 3, {0x0f, 0x01, 0xee}},
    {"WAITPKG", 7, 0, Register::kEcx, 5, {0xf3, 0x0f, 0xae, 0xf1}},
    {"MOVDIRI", 7, 0, Register::kEcx, 27, {0x0f, 0x38, 0xf9, 0x0b}},
    {"MOVDIR64B", 7, 0, Register::kEcx, 28, {0x66, 0x0f, 0x38, 0xf8, 0x0b}},
    {"ENQCMD", 7, 0, Register::kEcx, 29, {0xf2, 0x0f, 0x38, 0xf8, 0x0b}},
    {"TSXLDTRK", 7, 0, Register::kEdx, 16, {0xf2, 0x0f, 0x01, 0xe8}},
    {"AMX_TILE", 7, 0, Register::kEdx, 24, {0xc4, 0xe2, 0x78, 0x49, 0xc0}},
    {"XSAVES", 0xd, 1, Register::kEax, 3, {0x0f, 0xc7, 0x2b}},
    {"SVM", kExtended, 0, Register::kEcx, 2, {0x0f, 0x01, 0xd8}},
    {"SSE4A", kExtended, 0, Register::kEcx, 6, {0x66, 0x0f, 0x79, 0xc1}},
    {"XOP", kExtended, 0, Register::kEcx, 11, {0x8f, 0xe9, 0x78, 0x80, 0xc1}},
    {"FMA4", kExtended, 0, Register::kEcx, 16, {0xc4, 0xe3, 0x71, 0x68, 0xc2, 0x30}},
    {"TBM", kExtended, 0, Register::kEcx, 21, {0x8f, 0xe9, 0x78, 0x01, 0xc9}},
    {"MONITORX", kExtended, 0, Register::kEcx, 29, {0x0f, 0x01, 0xfa}},
    {"3DNOW", kExtended, 0, Register::kEdx, 31, {0x0f, 0x0f, 0xc1, 0x9e}},
    {"CLZERO", 0x80000008, 0, Register::kEbx, 0, {0x0f, 0x01, 0xfc}},
    {"RDPRU", 0x80000008, 0, Register::kEbx, 4, {0x0f, 0x01, 0xfd}},
};

const std::vector<hv_cpuid_entry>& Table() {
  static const std::vector<hv_cpuid_entry> table =
      vcpu::BuildCpuidTable(vcpu::HostCpuid(), {.cpus = 1, .tsc_hz = 2'000'000'000});
  return table;
}

bool Shown(const Feature& feature) {
  for (const hv_cpuid_entry& entry : Table()) {
    const bool any_subleaf = (entry.flags & HV_CPUID_SUBLEAF_MATTERS) == 0;
    if (entry.leaf != feature.leaf || !(any_subleaf || entry.subleaf == feature.subleaf)) continue;
    const uint32_t values[] = {entry.eax, entry.ebx, entry.ecx, entry.edx};
    return (values[static_cast<int>(feature.reg)] >> feature.bit & 1) != 0;
  }
  return false;
}

constexpr uint64_t kHandlers = TestMachine::kCode + 0x1000;
constexpr uint64_t kPageDirectory = TestMachine::kTables + 0x2000;
constexpr int kNoException = -1;

// The vector of the exception that the instruction takes, or kNoException.
int VectorOf(const Feature& feature) {
  TestMachine m;
  constexpr uint64_t kIdt = 0x8000, kGdt = 0x9000;
  m.Poke<uint64_t>(kGdt + 8, 0x00af9b000000ffff);
  for (uint64_t n = 0; n < 32; ++n) {
    const uint64_t handler = kHandlers + n * 16;
    m.Poke<uint64_t>(kIdt + n * 16,
                     (handler & 0xffff) | 8 << 16 | 0x8eull << 40 | (handler >> 16 & 0xffff) << 48);
    m.Poke<uint8_t>(handler, 0xf4);
  }
  m.state().idtr = {.base = kIdt, .limit = 0x1ff, .reserved = {}};
  m.state().gdtr = {.base = kGdt, .limit = 0xf, .reserved = {}};
  m.Load(TestMachine::kCode, feature.code);
  m.Poke<uint8_t>(TestMachine::kCode + feature.code.size(), 0xf4);
  m.gpr(HV_RBX) = m.gpr(HV_RSI) = TestMachine::kData;
  m.gpr(HV_RDI) = TestMachine::kData + 0x100;
  m.Poke<uint64_t>(kPageDirectory, 0xe3);  // the code's page is the supervisor's: SMEP
  if (feature.code == std::vector<uint8_t>(kMovCr4)) {
    m.gpr(HV_RAX) = m.state().cr4 | feature.cr4;
  } else {
    m.state().cr4 |= feature.cr4;
  }
  EXPECT_EQ(m.Run().reason, ExitReason::kHalt) << m.vcpu().Describe();
  if (m.state().rip < kHandlers) return kNoException;
  return static_cast<int>((m.state().rip - kHandlers) / 16);
}

TEST(CpuidTest, WhatIsShownRuns) {
  for (const Feature& feature : kFeatures) {
    if (!Shown(feature)) continue;
    EXPECT_EQ(VectorOf(feature), kNoException) << feature.name;
  }
}

TEST(CpuidTest, EveryFeatureShownHasItsInstructionTried) {
  // Bits of the feature leaves that stand for no instruction of their own: x2APIC, TSC-deadline,
  // OSXSAVE, hypervisor; MSR, PAE, APIC, SEP, MTRR, PAT, PSE-36, HTT; TSC_ADJUST; FSRM and
  // ARCH_CAPABILITIES; SYSCALL,
  // NX, 1 GiB pages, long mode and AMD's copies of leaf 1; AMD's topology extensions.
  struct Leaf {
    uint32_t leaf, subleaf;
    Register reg;
    uint32_t others;
  };
  constexpr Leaf kLeaves[] = {
      {1, 0, Register::kEcx, 1u << 21 | 1u << 24 | 1u << 27 | 1u << 31},
      {1, 0, Register::kEdx,
       1u << 5 | 1u << 6 | 1u << 9 | 1u << 11 | 1u << 12 | 1u << 16 | 1u << 17 | 1u << 28},
      {7, 0, Register::kEbx, 1u << 1},
      {7, 0, Register::kEcx, 0},
      {7, 0, Register::kEdx, 1u << 4 | 1u << 29},
      {7, 1, Register::kEax, 0},
      {0xd, 1, Register::kEax, 0},
      {kExtended, 0, Register::kEcx, 1u << 22},
      {kExtended, 0, Register::kEdx, ~(1u << 27)},
  };
  for (const Leaf& leaf : kLeaves) {
    for (int bit = 0; bit < 32; ++bit) {
      const Feature shown{"", leaf.leaf, leaf.subleaf, leaf.reg, bit, {}};
      if ((leaf.others >> bit & 1) != 0 || !Shown(shown)) continue;
      bool tried = false;
      for (const Feature& feature : kFeatures) {
        tried |= feature.leaf == leaf.leaf && feature.subleaf == leaf.subleaf &&
                 feature.reg == leaf.reg && feature.bit == bit;
      }
      EXPECT_TRUE(tried) << std::hex << leaf.leaf << "." << leaf.subleaf << " register "
                         << static_cast<int>(leaf.reg) << " bit " << std::dec << bit;
    }
  }
}

TEST(CpuidTest, WhatIsMaskedIsUndefined) {
  constexpr int kInvalidOpcode = 6;
  for (const Feature& feature : kMasked) {
    EXPECT_FALSE(Shown(feature)) << feature.name;
    EXPECT_EQ(VectorOf(feature), kInvalidOpcode) << feature.name;
  }
}

// What the host has not: #UD, unless it is an older instruction there, or the engine's own.
TEST(CpuidTest, WhatTheHostHasNotIsUndefined) {
  constexpr int kInvalidOpcode = 6;
  for (const Feature& feature : kFeatures) {
    const std::string name = feature.name;
    const bool older = name == "LZCNT" || name == "PREFETCHW" || name == "ERMS" || name == "POPCNT";
    if (Shown(feature) || feature.cr4 != 0 || older || NeedsNoHost(name)) continue;
    EXPECT_EQ(VectorOf(feature), kInvalidOpcode) << name;
  }
}

}  // namespace
}  // namespace hv::soft
