// What the facts about the host's KVM mean for hv.
#pragma once

#include <vector>

#include "hvd/host/host_facts.h"
#include "proto/hv/v1/machine.pb.h"

namespace hv::hvd {

// On KVM's device, its capabilities, and the engine kvm; always these topics in this order.
std::vector<hv::v1::Finding> ExamineKvm(const HostFacts& facts);

}  // namespace hv::hvd
