// The capabilities of KVM that engine kvm needs or likes, and what for.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace hv::hvd {

enum class CapabilityUse {
  kNeed,  // without it the engine cannot run a guest as hv promises
  kLike,  // without it something is slower or missing
};

struct KvmCapability {
  int number;        // KVM_CAP_..., Linux's Documentation/virt/kvm/api.rst
  const char* name;  // without KVM_CAP_
  CapabilityUse use;
  int least;  // the smallest answer of KVM_CHECK_EXTENSION that will do
  const char* purpose;
};

// Has to name as needed all that hv_kernel/kvm asks for, or "auto" would choose what then refuses.
const std::vector<KvmCapability>& KvmCapabilities();

// Names of those of a `use` that `extensions` (number to answer) falls short of. A number that
// holds an answer too small comes with it: "MAX_VCPUS (8 of 64)".
std::vector<std::string> LackingCapabilities(const std::map<int, int>& extensions,
                                             CapabilityUse use);

}  // namespace hv::hvd
