#include "hvd/host/doctor_virtualization.h"

#include <gtest/gtest.h>

#include "hvd/host/recorded_hosts.h"

namespace hv::hvd {
namespace {

hv::v1::Finding Find(const HostFacts& facts, const std::string& topic) {
  for (const auto& finding : ExamineVirtualization(facts.virtualization)) {
    if (finding.topic() == topic) return finding;
  }
  ADD_FAILURE() << "no finding on " << topic;
  return {};
}

void ExpectAllGood(const HostFacts& facts) {
  for (const auto& finding : ExamineVirtualization(facts.virtualization)) {
    EXPECT_EQ(finding.level(), hv::v1::FINDING_LEVEL_OK) << finding.topic();
    EXPECT_EQ(finding.advice(), "") << finding.topic();
  }
}

void ExpectNote(const hv::v1::Finding& finding, const std::string& found,
                const std::string& advice) {
  EXPECT_EQ(finding.level(), hv::v1::FINDING_LEVEL_NOTE);
  EXPECT_EQ(finding.found(), found);
  EXPECT_EQ(finding.advice(), advice);
}

TEST(DoctorVirtualizationTest, IntelBareMetal) {
  const HostFacts facts = IntelBareMetal();
  ExpectAllGood(facts);
  EXPECT_EQ(Find(facts, "virtualization").found(), "Intel VMX with EPT, VPID, unrestricted guest");
  EXPECT_EQ(Find(facts, "firmware").found(), "leaves VMX on (kvm_intel uses it)");
  EXPECT_EQ(Find(facts, "cpus alike").found(), "all 2");
}

TEST(DoctorVirtualizationTest, AmdBareMetal) {
  const HostFacts facts = AmdBareMetal();
  ExpectAllGood(facts);
  EXPECT_EQ(Find(facts, "virtualization").found(), "AMD SVM with NPT, next RIP, decode assists");
  EXPECT_EQ(Find(facts, "firmware").found(), "leaves SVM on (VM_CR of CPU 0-1)");
}

TEST(DoctorVirtualizationTest, FeaturesThatAreMissingAreNamed) {
  HostFacts facts = AmdBareMetal();
  facts.virtualization.hypervisor = "QEMU's TCG";
  for (CpuFacts& cpu : facts.virtualization.cpus) {
    cpu.flags.erase("nrip_save");
    cpu.flags.erase("decodeassists");
  }
  EXPECT_EQ(Find(facts, "virtualization").found(),
            "AMD SVM with NPT, without next RIP, decode assists; this host is itself a guest, of "
            "QEMU's TCG");
}

TEST(DoctorVirtualizationTest, WhatFirmwareTurnedOffIsSaidAndFromWhat) {
  HostFacts facts = DisabledByFirmware();
  ExpectNote(Find(facts, "firmware"),
             "has turned VMX off (CPUID shows it and the kernel, in /proc/cpuinfo, does not)",
             "turn on Intel Virtualization Technology (VT-x) in the firmware's setup");
  facts = AmdBareMetal();
  for (auto& one : facts.virtualization.firmware_registers) one.value = 0x18;
  ExpectNote(Find(facts, "firmware"), "has turned SVM off (VM_CR of CPU 0-1)",
             "turn on SVM Mode (AMD-V) in the firmware's setup");
}

TEST(DoctorVirtualizationTest, WhatIsNotKnownOfFirmwareIsSaid) {
  ExpectNote(Find(NoModule(), "firmware"),
             "not known whether it leaves VMX on (/dev/cpu/0/msr: Permission denied)",
             "as root, modprobe kvm_intel and read what dmesg says");
}

TEST(DoctorVirtualizationTest, AGuestWithoutNestedVirtualizationIsToldWhereToTurnItOn) {
  ExpectNote(Find(SlowKvm(), "virtualization"),
             "the CPU shows neither VMX nor SVM; this host is itself a guest, of KVM",
             "turn on nested virtualization where this host runs, if that can be had");
  EXPECT_EQ(Find(SlowKvm(), "firmware").level(), hv::v1::FINDING_LEVEL_OK);
}

TEST(DoctorVirtualizationTest, PagingThatTheModuleDoesNotUseIsANote) {
  HostFacts facts = AmdBareMetal();
  facts.virtualization.module_parameters["kvm_amd.npt"] = "N";
  EXPECT_EQ(Find(facts, "virtualization").level(), hv::v1::FINDING_LEVEL_NOTE);
  EXPECT_NE(Find(facts, "virtualization").advice().find("npt=0"), std::string::npos);
}

TEST(DoctorVirtualizationTest, CpusThatDifferAreNamed) {
  HostFacts facts = IntelBareMetal();
  facts.virtualization.cpus[1].microcode = "0x1";
  facts.virtualization.cpus[1].vmx_flags.erase("ept");
  const auto finding = Find(facts, "cpus alike");
  EXPECT_EQ(finding.level(), hv::v1::FINDING_LEVEL_NOTE);
  EXPECT_EQ(finding.found(), "unlike CPU 0, CPU 1: microcode 0x1, without VMX's ept");
}

TEST(DoctorVirtualizationTest, AHostWhoseFilesCannotBeReadIsNoCrash) {
  VirtualizationFacts facts{.has_vmx = true};
  EXPECT_EQ(ExamineVirtualization(facts).size(), 3u);
}

}  // namespace
}  // namespace hv::hvd
