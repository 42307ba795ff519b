#include "hvd/host/doctor.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cerrno>

namespace hv::hvd {
namespace {

HostFacts GoodHost() {
  return {.cpu_model = "A CPU",
          .has_hardware_virtualization = true,
          .has_invariant_tsc = true,
          .has_fsgsbase = true,
          .has_avx = true,
          .has_avx2 = true,
          .has_bmi2 = true,
          .kvm = DeviceAccess::kUsable,
          .kvm_api = 12,
          .user_namespaces = true,
          .landlock_abi = 2,
          .seccomp_filters = true,
          .cores = 8,
          .available_memory_bytes = 16ull << 30,
          .shmem_huge_pages = "advise",
          .descriptor_limit = 1 << 20};
}

hv::v1::Finding Find(const HostFacts& facts, const std::string& topic) {
  for (const auto& finding : Examine(facts)) {
    if (finding.topic() == topic) return finding;
  }
  ADD_FAILURE() << "no finding on " << topic;
  return {};
}

TEST(DoctorTest, AGoodHostHasNoProblemsAndOnlyTheNoteOnKvm) {
  for (const auto& finding : Examine(GoodHost())) {
    const auto expected =
        finding.topic() == "engine kvm" ? hv::v1::FINDING_LEVEL_NOTE : hv::v1::FINDING_LEVEL_OK;
    EXPECT_EQ(finding.level(), expected) << finding.topic();
  }
}

TEST(DoctorTest, AHostOnWhichTheSoftEngineCannotRunIsAProblem) {
  HostFacts facts = GoodHost();
  facts.has_bmi2 = false;
  EXPECT_EQ(Find(facts, "engine soft").level(), hv::v1::FINDING_LEVEL_PROBLEM);
  EXPECT_NE(Find(facts, "engine soft").found().find("BMI2"), std::string::npos);
  facts.has_avx = false;
  EXPECT_NE(Find(facts, "engine soft").found().find("AVX"), std::string::npos);
}

TEST(DoctorTest, EveryNoteAndProblemSaysWhatToDoOrWhatItCosts) {
  HostFacts worst{.cpu_model = "A CPU"};
  worst.shmem_huge_pages = "never";
  for (const auto& finding : Examine(worst)) {
    EXPECT_TRUE(finding.level() == hv::v1::FINDING_LEVEL_OK || !finding.advice().empty());
    EXPECT_FALSE(finding.found().empty());
  }
}

TEST(DoctorTest, KvmSaysWhyItCannotBeUsed) {
  HostFacts facts = GoodHost();
  facts.kvm = DeviceAccess::kDenied;
  facts.kvm_error = "Permission denied";
  EXPECT_EQ(Find(facts, "engine kvm").found(), "/dev/kvm: Permission denied");
  facts.kvm = DeviceAccess::kMissing;
  facts.kvm_error = "No such file or directory";
  facts.has_hardware_virtualization = false;
  facts.under_hypervisor = true;
  EXPECT_NE(Find(facts, "engine kvm").found().find("no VMX or SVM (the host is itself a guest)"),
            std::string::npos);
}

TEST(DoctorTest, WithoutNamespacesLandlockIsNeeded) {
  HostFacts facts = GoodHost();
  facts.landlock_abi = 0;
  EXPECT_EQ(Find(facts, "landlock").level(), hv::v1::FINDING_LEVEL_NOTE);
  facts.user_namespaces = false;
  EXPECT_EQ(Find(facts, "landlock").level(), hv::v1::FINDING_LEVEL_PROBLEM);
}

TEST(DoctorTest, MissingSeccompIsAProblem) {
  HostFacts facts = GoodHost();
  facts.seccomp_filters = false;
  EXPECT_EQ(Find(facts, "seccomp").level(), hv::v1::FINDING_LEVEL_PROBLEM);
}

TEST(HostFactsTest, GatheringFindsThisHostAndLeavesNoChild) {
  const HostFacts facts = GatherHostFacts();
  EXPECT_FALSE(facts.cpu_model.empty());
  EXPECT_GE(facts.cores, 1u);
  EXPECT_GT(facts.available_memory_bytes, 0u);
  EXPECT_GT(facts.descriptor_limit, 0u);
  EXPECT_NE(facts.user_namespaces, !facts.user_namespaces_error.empty());
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

}  // namespace
}  // namespace hv::hvd
