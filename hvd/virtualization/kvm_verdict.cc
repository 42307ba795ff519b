#include "hvd/virtualization/kvm_verdict.h"

#include <linux/kvm.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "hvd/virtualization/kvm_capabilities.h"

namespace hv::hvd {
namespace {

std::vector<std::string> MissingInstructions(const KvmFacts& facts) {
  std::vector<std::string> missing;
  if (!facts.runs_xsave) missing.emplace_back("XSAVE");
  if (!facts.runs_cmpxchg16b) missing.emplace_back("CMPXCHG16B");
  return missing;
}

std::string Show(const Ring0Speed& speed) {
  return absl::StrFormat("a ring-0 loop runs at %s%.*f MIPS", speed.at_most ? "most " : "",
                         speed.mips < 10 ? 1 : 0, speed.mips);
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
  const std::string speed = Show(*facts.speed);
  const std::vector<std::string> instructions = MissingInstructions(facts);
  const std::string no_instructions =
      instructions.empty() ? ""
                           : absl::StrCat("; it cannot run ", absl::StrJoin(instructions, ", "));
  if (facts.speed->mips < kRealMips) {
    return {KvmVerdict::kSlow, absl::StrCat("interprets ring 0: ", speed, no_instructions)};
  }
  const std::vector<std::string> capabilities =
      LackingCapabilities(facts.extensions, CapabilityUse::kNeed);
  if (!capabilities.empty() || !instructions.empty()) {
    return {KvmVerdict::kLacking,
            absl::StrCat(speed, no_instructions, capabilities.empty() ? "" : "; it lacks ",
                         absl::StrJoin(capabilities, ", "))};
  }
  return {KvmVerdict::kReal, speed};
}

const char* EngineForAuto(KvmVerdict verdict, bool has_kvm_engine) {
  return verdict == KvmVerdict::kReal && has_kvm_engine ? "kvm" : "soft";
}

}  // namespace hv::hvd
