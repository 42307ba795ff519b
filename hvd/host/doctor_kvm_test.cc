#include "hvd/host/doctor_kvm.h"

#include <gtest/gtest.h>

#include "hvd/host/recorded_hosts.h"

namespace hv::hvd {
namespace {

constexpr auto kOk = hv::v1::FINDING_LEVEL_OK;
constexpr auto kNote = hv::v1::FINDING_LEVEL_NOTE;

hv::v1::Finding Find(const HostFacts& facts, const std::string& topic) {
  for (const auto& finding : ExamineKvm(facts)) {
    if (finding.topic() == topic) return finding;
  }
  ADD_FAILURE() << "no finding on " << topic;
  return {};
}

void Expect(const hv::v1::Finding& finding, hv::v1::FindingLevel level, const std::string& found,
            const std::string& advice = "") {
  EXPECT_EQ(finding.level(), level) << finding.topic();
  EXPECT_EQ(finding.found(), found);
  EXPECT_EQ(finding.advice(), advice);
}

TEST(DoctorKvmTest, BareMetalIsGood) {
  const HostFacts intel = IntelBareMetal();
  Expect(Find(intel, "kvm device"), kOk, "mode 0660, group kvm; module kvm_intel");
  Expect(Find(intel, "kvm capabilities"), kOk, "all that engine kvm needs");
  Expect(Find(intel, "engine kvm"), kOk, "usable: ring 0 runs at 5120 MIPS (measured in 1.2 ms)");
  Expect(Find(AmdBareMetal(), "kvm device"), kOk, "mode 0660, group kvm; module kvm_amd");
}

TEST(DoctorKvmTest, ASlowKvmIsNamedWithTheMeasurement) {
  const HostFacts facts = SlowKvm();
  Expect(Find(facts, "kvm device"), kOk, "mode 0600, group root; module kvm_pvm");
  Expect(Find(facts, "engine kvm"), kNote,
         "not for use: ring 0 is interpreted, at 3.3 MIPS, without XSAVE, CMPXCHG16B (measured in "
         "4.9 ms)",
         "nothing to do: engine soft is faster; only hardware would be faster still");
}

TEST(DoctorKvmTest, FirmwareComesBeforeTheModule) {
  Expect(Find(DisabledByFirmware(), "kvm device"), kNote, "no /dev/kvm", "see firmware");
  Expect(Find(NoModule(), "kvm device"), kNote, "no /dev/kvm: kvm_intel is not loaded",
         "as root: modprobe kvm_intel");
  Expect(Find(NoModule(), "engine kvm"), kNote, "not usable: /dev/kvm: No such file or directory",
         "see kvm device; guests run with engine soft");
  Expect(Find(NoModule(), "kvm capabilities"), kOk, "not asked");
}

TEST(DoctorKvmTest, AContainerNeedsTheDevice) {
  Expect(Find(ContainerWithoutDevice(), "kvm device"), kNote,
         "the kernel has KVM, but not in this /dev, as in a container",
         "give the container the device: --device /dev/kvm");
  HostFacts facts = IntelBareMetal();  // the node is there, the control group refuses it
  facts.kvm = KvmThatCannotBeOpened(DeviceAccess::kDenied, EPERM);
  Expect(Find(facts, "kvm device"), kNote, "Operation not permitted: mode 0660, group kvm",
         "give the container the device: --device /dev/kvm");
}

TEST(DoctorKvmTest, WhoLacksPermissionIsToldTheGroupToJoin) {
  HostFacts facts = NoPermission();
  Expect(Find(facts, "kvm device"), kNote, "Permission denied: mode 0660, group kvm",
         "as root: usermod -aG kvm USER; then log in again");
  facts.virtualization.device = {.exists = true, .mode = 0600, .group = "root"};
  Expect(Find(facts, "kvm device"), kNote, "Permission denied: mode 0600, group root",
         "as root: chgrp kvm /dev/kvm; chmod 0660 /dev/kvm; then join group kvm");
}

TEST(DoctorKvmTest, AHostThatCannotHaveKvmIsNotToldToLoadIt) {
  HostFacts facts = SlowKvm();
  facts.virtualization.modules.clear();
  facts.virtualization.device_registered = false;
  facts.virtualization.device = {};
  facts.kvm = KvmThatCannotBeOpened(DeviceAccess::kMissing, ENOENT);
  Expect(Find(facts, "kvm device"), kNote, "no /dev/kvm", "see virtualization");
}

TEST(DoctorKvmTest, CapabilitiesThatAreMissingAreNamed) {
  HostFacts facts = IntelBareMetal();
  facts.kvm.extensions[KVM_CAP_IOEVENTFD] = 0;
  Expect(Find(facts, "kvm capabilities"), kOk,
         "all that engine kvm needs; without IOEVENTFD, which would help");
  facts.kvm.extensions[KVM_CAP_X86_MSR_FILTER] = 0;
  Expect(Find(facts, "kvm capabilities"), kNote,
         "lacks X86_MSR_FILTER; without IOEVENTFD, which would help", "take Linux 5.16 or newer");
  EXPECT_EQ(Find(facts, "engine kvm").advice(),
            "see kvm capabilities; guests run with engine soft");
}

TEST(DoctorKvmTest, AKvmThatRunsNothingOrSpeaksAnotherApiIsNotUsable) {
  HostFacts facts = IntelBareMetal();
  facts.kvm.speed.reset();
  facts.kvm.failure = "KVM_CREATE_VM: Device or resource busy";
  EXPECT_EQ(Find(facts, "engine kvm").found(),
            "not usable: KVM_CREATE_VM: Device or resource busy");
  facts.kvm.api_version = 13;
  EXPECT_EQ(Find(facts, "engine kvm").level(), kNote);
  EXPECT_NE(Find(facts, "engine kvm").advice(), "");
}

}  // namespace
}  // namespace hv::hvd
