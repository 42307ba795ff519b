// Whether the host's KVM is fit for guests, and what engine "auto" therefore is.
#pragma once

#include <string>

#include "hvd/virtualization/kvm_facts.h"

namespace hv::hvd {

enum class KvmVerdict {
  kReal,      // hardware runs ring 0, and all that the engine needs is there
  kSlow,      // something interprets ring 0
  kMissing,   // no /dev/kvm
  kDenied,    // it may not be opened
  kWrongApi,  // it speaks another API
  kBroken,    // a guest could not be made or run
  kLacking,   // a capability or an instruction that the engine needs is missing
};

struct KvmJudgement {
  KvmVerdict verdict = KvmVerdict::kMissing;
  std::string reason;  // the facts it rests on, to show to people
};

// Below this, KVM interprets ring 0. Seen: interpreters at 1 to 4, KVM inside an emulator (QEMU's
// TCG) at 800, hardware at several thousand; engine soft runs such a loop at some thousand.
inline constexpr double kRealMips = 100;

KvmJudgement JudgeKvm(const KvmFacts& facts);

// "kvm" or "soft".
const char* EngineForAuto(KvmVerdict verdict);

}  // namespace hv::hvd
