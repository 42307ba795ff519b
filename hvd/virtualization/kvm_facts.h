// What was found out about the host's KVM, as plain data.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "hvd/virtualization/ring0_speed.h"

namespace hv::hvd {

enum class DeviceAccess { kMissing, kDenied, kUsable };

struct KvmFacts {
  DeviceAccess device = DeviceAccess::kMissing;
  int open_errno = 0;   // of open(2) where it failed
  int api_version = 0;  // KVM_GET_API_VERSION; 0: it did not answer
  // What KVM_CHECK_EXTENSION answers, by capability number, for those in kvm_capabilities.h. 0: not
  // there.
  std::map<int, int> extensions;
  // The first step of making and running a guest that failed, and how. Empty: none did.
  std::string failure;
  std::optional<Ring0Speed> speed;  // none: the loop did not run
  bool runs_xsave = false;
  bool runs_cmpxchg16b = false;
  int64_t probe_ns = 0;  // wall-clock time that finding out took
};

}  // namespace hv::hvd
