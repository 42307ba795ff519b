// What the facts about the CPU's virtualization mean for hv.
#pragma once

#include <vector>

#include "hvd/virtualization/virtualization_facts.h"
#include "proto/hv/v1/machine.pb.h"

namespace hv::hvd {

// On virtualization, on firmware, and on whether the CPUs are alike; always these topics in this
// order.
std::vector<hv::v1::Finding> ExamineVirtualization(const VirtualizationFacts& facts);

}  // namespace hv::hvd
