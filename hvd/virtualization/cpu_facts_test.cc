#include "hvd/virtualization/cpu_facts.h"

#include <gtest/gtest.h>

namespace hv::hvd {
namespace {

constexpr char kTwoCpus[] =
    "processor\t: 0\n"
    "vendor_id\t: GenuineIntel\n"
    "cpu family\t: 6\n"
    "model\t\t: 85\n"
    "model name\t: Intel(R) Xeon(R) Gold 6130 CPU @ 2.10GHz\n"
    "stepping\t: 4\n"
    "microcode\t: 0x2007006\n"
    "flags\t\t: fpu vme vmx avx2\n"
    "vmx flags\t: vnmi ept vpid unrestricted_guest\n"
    "bugs\t\t: spectre_v1\n"
    "power management:\n"
    "\n"
    "processor\t: 1\n"
    "vendor_id\t: GenuineIntel\n"
    "cpu family\t: 6\n"
    "model\t\t: 85\n"
    "stepping\t: 4\n"
    "microcode\t: 0x2007006\n"
    "flags\t\t: fpu vme vmx avx2\n"
    "vmx flags\t: vnmi ept vpid unrestricted_guest\n"
    "\n";

TEST(CpuFactsTest, CpuinfoIsRead) {
  const auto cpus = ParseCpuinfo(kTwoCpus);
  ASSERT_EQ(cpus.size(), 2u);
  EXPECT_EQ(cpus[0].vendor, "GenuineIntel");
  EXPECT_EQ(cpus[0].model, "Intel(R) Xeon(R) Gold 6130 CPU @ 2.10GHz");
  EXPECT_EQ(cpus[0].signature, "6-85-4");
  EXPECT_EQ(cpus[0].flags.count("vmx"), 1u);
  EXPECT_EQ(cpus[0].vmx_flags.count("unrestricted_guest"), 1u);
  EXPECT_EQ(cpus[1].number, 1u);
  EXPECT_TRUE(CpusUnlikeTheFirst(cpus).empty());
}

TEST(CpuFactsTest, NonsenseIsPassedOver) {
  EXPECT_TRUE(ParseCpuinfo("").empty());
  EXPECT_TRUE(ParseCpuinfo("flags: before any processor\nprocessor: many\n::\n").empty());
  EXPECT_TRUE(CpusUnlikeTheFirst({}).empty());
}

TEST(CpuFactsTest, CpusThatDifferInTheSameWayAreToldTogether) {
  std::vector<CpuFacts> cpus(6, ParseCpuinfo(kTwoCpus)[0]);
  for (unsigned i = 0; i < cpus.size(); ++i) cpus[i].number = i;
  for (unsigned i : {2u, 3u}) cpus[i].vmx_flags.erase("ept");
  cpus[5].flags.insert("amx_tile");
  cpus[5].microcode = "0x9";
  const auto differences = CpusUnlikeTheFirst(cpus);
  ASSERT_EQ(differences.size(), 2u);
  EXPECT_EQ(differences[0].how, "microcode 0x9, with amx_tile");
  EXPECT_EQ(differences[0].numbers, std::vector<unsigned>{5});
  EXPECT_EQ(differences[1].how, "without VMX's ept");
  EXPECT_EQ(differences[1].numbers, (std::vector<unsigned>{2, 3}));
}

TEST(CpuFactsTest, NumbersAreShownAsRanges) {
  EXPECT_EQ(ShowNumbers({}), "");
  EXPECT_EQ(ShowNumbers({3}), "3");
  EXPECT_EQ(ShowNumbers({0, 1, 2, 5, 8, 9}), "0-2,5,8-9");
}

}  // namespace
}  // namespace hv::hvd
