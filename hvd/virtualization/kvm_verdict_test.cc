#include "hvd/virtualization/kvm_verdict.h"

#include <gtest/gtest.h>
#include <linux/kvm.h>

#include <cerrno>

#include "hvd/virtualization/kvm_capabilities.h"

namespace hv::hvd {
namespace {

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

KvmFacts Real() {
  KvmFacts facts{.device = DeviceAccess::kUsable,
                 .api_version = KVM_API_VERSION,
                 .speed = Ring0Speed{.mips = 3200},
                 .runs_xsave = true,
                 .runs_cmpxchg16b = true};
  for (const KvmCapability& capability : KvmCapabilities()) {
    facts.extensions[capability.number] = capability.least;
  }
  return facts;
}

TEST(KvmVerdictTest, RealOnesSaySo) {
  const KvmJudgement judgement = JudgeKvm(Real());
  EXPECT_EQ(judgement.verdict, KvmVerdict::kReal);
  EXPECT_EQ(judgement.reason, "ring 0 runs at 3200 MIPS");
  KvmFacts inside_tcg = Real();
  inside_tcg.speed->mips = 600;
  EXPECT_EQ(JudgeKvm(inside_tcg).verdict, KvmVerdict::kReal);
}

TEST(KvmVerdictTest, AnInterpreterIsSlowWhateverElseItLacks) {
  KvmFacts facts = Real();
  facts.speed = Ring0Speed{.mips = 1.43};
  facts.runs_xsave = facts.runs_cmpxchg16b = false;
  facts.extensions.clear();
  const KvmJudgement judgement = JudgeKvm(facts);
  EXPECT_EQ(judgement.verdict, KvmVerdict::kSlow);
  EXPECT_EQ(judgement.reason, "ring 0 is interpreted, at 1.4 MIPS, without XSAVE, CMPXCHG16B");
}

TEST(KvmVerdictTest, ALoopThatHadToBeStoppedIsSlow) {
  KvmFacts facts = Real();
  facts.speed = Ring0Speed{.mips = 0.4, .at_most = true};
  EXPECT_EQ(JudgeKvm(facts).verdict, KvmVerdict::kSlow);
  EXPECT_TRUE(Contains(JudgeKvm(facts).reason, "at most 0.4 MIPS"));
}

TEST(KvmVerdictTest, MissingAndDeniedSayWhy) {
  const KvmFacts missing{.device = DeviceAccess::kMissing, .open_errno = ENOENT};
  EXPECT_EQ(JudgeKvm(missing).verdict, KvmVerdict::kMissing);
  EXPECT_EQ(JudgeKvm(missing).reason, "/dev/kvm: No such file or directory");
  const KvmFacts denied{.device = DeviceAccess::kDenied, .open_errno = EACCES};
  EXPECT_EQ(JudgeKvm(denied).verdict, KvmVerdict::kDenied);
  EXPECT_EQ(JudgeKvm(denied).reason, "/dev/kvm: Permission denied");
}

TEST(KvmVerdictTest, AnotherApiIsNamed) {
  KvmFacts facts = Real();
  facts.api_version = 13;
  EXPECT_EQ(JudgeKvm(facts).verdict, KvmVerdict::kWrongApi);
  EXPECT_EQ(JudgeKvm(facts).reason, "/dev/kvm answers with API version 13, not 12");
}

TEST(KvmVerdictTest, AGuestThatCannotRunIsBroken) {
  KvmFacts facts = Real();
  facts.speed.reset();
  facts.failure = "KVM_CREATE_VM: Device or resource busy";
  EXPECT_EQ(JudgeKvm(facts).verdict, KvmVerdict::kBroken);
  EXPECT_EQ(JudgeKvm(facts).reason, facts.failure);
}

TEST(KvmVerdictTest, WhatIsNeededAndMissingIsNamed) {
  KvmFacts facts = Real();
  facts.extensions[KVM_CAP_X86_MSR_FILTER] = 0;
  EXPECT_EQ(JudgeKvm(facts).verdict, KvmVerdict::kLacking);
  EXPECT_TRUE(Contains(JudgeKvm(facts).reason, "it lacks X86_MSR_FILTER"));
  facts = Real();
  facts.runs_cmpxchg16b = false;
  EXPECT_EQ(JudgeKvm(facts).verdict, KvmVerdict::kLacking);
  EXPECT_TRUE(Contains(JudgeKvm(facts).reason, "without CMPXCHG16B"));
}

TEST(KvmVerdictTest, WhatIsLikedAndMissingChangesNothing) {
  KvmFacts facts = Real();
  facts.extensions[KVM_CAP_IOEVENTFD] = 0;
  EXPECT_EQ(JudgeKvm(facts).verdict, KvmVerdict::kReal);
  EXPECT_EQ(LackingCapabilities(facts.extensions, CapabilityUse::kLike),
            std::vector<std::string>{"IOEVENTFD"});
}

TEST(KvmVerdictTest, AnswersThatAreTooSmallAreShown) {
  KvmFacts facts = Real();
  facts.extensions[KVM_CAP_NR_MEMSLOTS] = 8;
  EXPECT_EQ(LackingCapabilities(facts.extensions, CapabilityUse::kNeed),
            std::vector<std::string>{"NR_MEMSLOTS (8 of 64)"});
}

TEST(KvmVerdictTest, AutoIsKvmOnlyWhereItIsReal) {
  EXPECT_STREQ(EngineForAuto(KvmVerdict::kReal), "kvm");
  for (const KvmVerdict verdict :
       {KvmVerdict::kSlow, KvmVerdict::kMissing, KvmVerdict::kDenied, KvmVerdict::kWrongApi,
        KvmVerdict::kBroken, KvmVerdict::kLacking}) {
    EXPECT_STREQ(EngineForAuto(verdict), "soft");
  }
}

}  // namespace
}  // namespace hv::hvd
