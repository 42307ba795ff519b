#include "hv_kernel/kvm/cpuid_intersection.h"

#include "gtest/gtest.h"

namespace hv::kvm {
namespace {

constexpr uint32_t kXsave = 1u << 26, kSse3 = 1u << 0, kX2apic = 1u << 21, kHypervisor = 1u << 31;
constexpr uint32_t kFsgsbase = 1u << 0, kTscAdjust = 1u << 1;

hv_cpuid_entry Wanted(uint32_t leaf, uint32_t ebx, uint32_t ecx) {
  return {.leaf = leaf, .subleaf = 0, .flags = 0, .eax = leaf, .ebx = ebx, .ecx = ecx};
}
kvm_cpuid_entry2 Supported(uint32_t leaf, uint32_t ebx, uint32_t ecx) {
  kvm_cpuid_entry2 entry{};
  entry.function = leaf;
  entry.ebx = ebx;
  entry.ecx = ecx;
  return entry;
}

TEST(CpuidIntersectionTest, FeaturesStayWhereBothSidesHaveThem) {
  const hv_cpuid_entry wanted[] = {Wanted(1, 0, kSse3 | kXsave)};
  const kvm_cpuid_entry2 supported[] = {Supported(1, 0, kSse3 | 1u << 13)};
  const auto shown = IntersectCpuid(wanted, supported, 0);
  ASSERT_EQ(shown.size(), 1u);
  EXPECT_EQ(shown[0].ecx, kSse3);
  EXPECT_FALSE(HasXsave(shown));
}

TEST(CpuidIntersectionTest, WhatHvProvidesItselfStays) {
  const hv_cpuid_entry wanted[] = {Wanted(1, 0, kX2apic | kHypervisor),
                                   Wanted(7, kTscAdjust | kFsgsbase, 0)};
  const auto shown = IntersectCpuid(wanted, {}, 0);
  EXPECT_EQ(shown[0].ecx, kX2apic | kHypervisor);
  EXPECT_EQ(shown[1].ebx, kTscAdjust);
}

TEST(CpuidIntersectionTest, LeavesThatAreNoFeaturesAreTheServices) {
  const hv_cpuid_entry wanted[] = {Wanted(0, 0x756e6547, 0x6c65746e)};
  const kvm_cpuid_entry2 supported[] = {Supported(0, 1, 2)};
  const auto shown = IntersectCpuid(wanted, supported, 0);
  EXPECT_EQ(shown[0].ebx, 0x756e6547u);
  EXPECT_EQ(shown[0].ecx, 0x6c65746eu);
}

TEST(CpuidIntersectionTest, TheApicIdIsTheVcpus) {
  const hv_cpuid_entry wanted[] = {Wanted(1, 0x00040800, 0), Wanted(0xb, 1, 0x100)};
  const auto shown = IntersectCpuid(wanted, {}, 5);
  EXPECT_EQ(shown[0].ebx, 0x05040800u);
  EXPECT_EQ(shown[1].edx, 5u);
}

TEST(CpuidIntersectionTest, WithoutXsaveThereIsNoLeafOfItsSizes) {
  const hv_cpuid_entry wanted[] = {Wanted(1, 0, kXsave), Wanted(0xd, 576, 576)};
  EXPECT_EQ(IntersectCpuid(wanted, {}, 0).size(), 1u);
  const kvm_cpuid_entry2 supported[] = {Supported(1, 0, kXsave)};
  EXPECT_EQ(IntersectCpuid(wanted, supported, 0).size(), 2u);
}

TEST(CpuidIntersectionTest, TheZeroesBehindATableAreNoLeaves) {
  const hv_cpuid_entry wanted[] = {Wanted(0, 1, 2), Wanted(1, 0, 0), {}, {}};
  EXPECT_EQ(IntersectCpuid(wanted, {}, 0).size(), 2u);
}

}  // namespace
}  // namespace hv::kvm
