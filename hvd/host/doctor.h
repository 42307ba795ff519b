// What the facts about a host mean for hv.
#pragma once

#include <vector>

#include "hvd/host/host_facts.h"
#include "proto/hv/v1/machine.pb.h"

namespace hv::hvd {

// One finding a topic, always the same topics in the same order.
std::vector<hv::v1::Finding> Examine(const HostFacts& facts);

}  // namespace hv::hvd
