#include "hvd/virtualization/kvm_verdict.h"

#include <linux/kvm.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "hvd/virtualization/kvm_capabilities.h"

namespace hv::hvd {
namespace {

std::string Show(const Ring0Speed& speed) {
  return absl::StrFormat("at %s%.*f MIPS", speed.at_most ? "most " : "", speed.mips < 10 ? 1 : 0,
                         speed.mips);
}

// ", without XSAVE": instructions that it cannot run. Empty: it runs all.
std::string WithoutInstructions(const KvmFacts& facts) {
  std::vector<std::string> missing;
  if (!facts.runs_xsave) missing.emplace_back("XSAVE");
  if (!facts.runs_cmpxchg16b) missing.emplace_back("CMPXCHG16B");
  return missing.empty() ? "" : absl::StrCat(", without ", absl::StrJoin(missing, ", "));
}

}  // namespace

KvmJudgement JudgeKvm(const KvmFacts& facts) {
  if (facts.device == DeviceAccess::kMissing) {
    return {KvmVerdict::kMissing, absl::StrCat("/dev/kvm: ", std::strerror(facts.open_errno))};
  }
  if (facts.device == DeviceAccess::kDenied) {
    return {KvmVerdict::kDenied, absl::StrCat("/dev/kvm: ", std::strerror(facts.open_errno))};
  }
  if (facts.api_version != KVM_API_VERSION) {
    return {KvmVerdict::kWrongApi, absl::StrCat("/dev/kvm answers with API version ",
                                                facts.api_version, ", not ", KVM_API_VERSION)};
  }
  if (!facts.speed) return {KvmVerdict::kBroken, facts.failure};
  const std::string speed = Show(*facts.speed), without = WithoutInstructions(facts);
  if (facts.speed->mips < kRealMips) {
    return {KvmVerdict::kSlow, absl::StrCat("ring 0 is interpreted, ", speed, without)};
  }
  const auto lacking = LackingCapabilities(facts.extensions, CapabilityUse::kNeed);
  if (!lacking.empty() || !without.empty()) {
    return {KvmVerdict::kLacking,
            absl::StrCat("ring 0 runs ", speed, without, lacking.empty() ? "" : "; it lacks ",
                         absl::StrJoin(lacking, ", "))};
  }
  return {KvmVerdict::kReal, absl::StrCat("ring 0 runs ", speed)};
}

const char* EngineForAuto(KvmVerdict verdict) {
  return verdict == KvmVerdict::kReal ? "kvm" : "soft";
}

}  // namespace hv::hvd
