// Finds out what the host's KVM is: opens it, asks it, and runs a guest of a few instructions in
// it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "hvd/virtualization/kvm_facts.h"

namespace hv::hvd {

struct ProbeClocks {
  std::function<int64_t()> wall_ns;
  std::function<int64_t()> thread_cpu_ns;
};
ProbeClocks HostClocks();

// Takes 1 to 6 ms where there is a KVM, however slow that runs ring 0, and leaves nothing behind.
KvmFacts ProbeKvm(const std::string& device, const ProbeClocks& clocks);

}  // namespace hv::hvd
