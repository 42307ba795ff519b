#include "hvd/host/doctor.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cerrno>

#include "hvd/host/recorded_hosts.h"

namespace hv::hvd {
namespace {

hv::v1::Finding Find(const HostFacts& facts, const std::string& topic) {
  for (const auto& finding : Examine(facts)) {
    if (finding.topic() == topic) return finding;
  }
  ADD_FAILURE() << "no finding on " << topic;
  return {};
}

TEST(DoctorTest, AGoodHostHasNothingToBeDone) {
  for (const auto& finding : Examine(IntelBareMetal())) {
    EXPECT_EQ(finding.level(), hv::v1::FINDING_LEVEL_OK) << finding.topic();
  }
}

TEST(DoctorTest, TopicsAreTheSameOnEveryHost) {
  const auto good = Examine(IntelBareMetal()), bad = Examine(HostFacts{});
  ASSERT_EQ(good.size(), bad.size());
  for (size_t i = 0; i < good.size(); ++i) EXPECT_EQ(good[i].topic(), bad[i].topic());
}

TEST(DoctorTest, AHostOnWhichTheSoftEngineCannotRunIsAProblem) {
  HostFacts facts = IntelBareMetal();
  facts.has_bmi2 = false;
  EXPECT_EQ(Find(facts, "engine soft").level(), hv::v1::FINDING_LEVEL_PROBLEM);
  EXPECT_NE(Find(facts, "engine soft").found().find("BMI2"), std::string::npos);
  facts.has_avx = false;
  EXPECT_NE(Find(facts, "engine soft").found().find("AVX"), std::string::npos);
}

TEST(DoctorTest, EveryNoteAndProblemSaysWhatToDoOrWhatItCosts) {
  HostFacts worst{.cpu_model = "A CPU"};
  worst.shmem_huge_pages = "never";
  for (const HostFacts& facts : {worst, DisabledByFirmware(), NoPermission(), NoModule(),
                                 ContainerWithoutDevice(), SlowKvm()}) {
    for (const auto& finding : Examine(facts)) {
      EXPECT_TRUE(finding.level() == hv::v1::FINDING_LEVEL_OK || !finding.advice().empty())
          << finding.topic();
      EXPECT_FALSE(finding.found().empty()) << finding.topic();
    }
  }
}

TEST(DoctorTest, WithoutNamespacesLandlockIsNeeded) {
  HostFacts facts = IntelBareMetal();
  facts.landlock_abi = 0;
  EXPECT_EQ(Find(facts, "landlock").level(), hv::v1::FINDING_LEVEL_NOTE);
  facts.user_namespaces = false;
  EXPECT_EQ(Find(facts, "landlock").level(), hv::v1::FINDING_LEVEL_PROBLEM);
}

TEST(DoctorTest, MissingSeccompIsAProblem) {
  HostFacts facts = IntelBareMetal();
  facts.seccomp_filters = false;
  EXPECT_EQ(Find(facts, "seccomp").level(), hv::v1::FINDING_LEVEL_PROBLEM);
}

TEST(DoctorTest, DemandPagingIsForEachEngineByItsOwnPermission) {
  HostFacts facts = IntelBareMetal();
  facts.userfault.device_error = EACCES;
  hv::v1::Finding found = Find(facts, "demand paging");
  EXPECT_EQ(found.level(), hv::v1::FINDING_LEVEL_NOTE);
  EXPECT_NE(found.found().find("engine soft alone"), std::string::npos);
  EXPECT_NE(found.found().find("/dev/userfaultfd: Permission denied"), std::string::npos);
  facts.userfault.call_error = 0;
  EXPECT_EQ(Find(facts, "demand paging").level(), hv::v1::FINDING_LEVEL_OK);
  facts.userfault.user_mode_error = EPERM;
  found = Find(facts, "demand paging");
  EXPECT_EQ(found.level(), hv::v1::FINDING_LEVEL_NOTE);
  EXPECT_NE(found.found().find("Operation not permitted"), std::string::npos);
  facts.userfault = {.user_mode_error = 0, .call_error = 0, .has_shared_memory = false};
  EXPECT_NE(Find(facts, "demand paging").found().find("none for shared memory"), std::string::npos);
}

TEST(DoctorTest, AWriteWatchTakesDemandPagingAndAKernelThatProtectsSharedMemory) {
  HostFacts facts = IntelBareMetal();
  facts.userfault.has_write_protection = false;
  hv::v1::Finding found = Find(facts, "write watch");
  EXPECT_EQ(found.level(), hv::v1::FINDING_LEVEL_NOTE);
  EXPECT_NE(found.advice().find("Linux 5.19"), std::string::npos);
  facts.userfault = {};
  found = Find(facts, "write watch");
  EXPECT_NE(found.found().find("demand paging"), std::string::npos);
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
