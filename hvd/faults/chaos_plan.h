// Campaigns of faults: planned from a seed, so that the same one can be run again.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/hv/v1/fault.pb.h"

namespace hv::hvd {

// Every injection that `request` asks for, in the order of their times; `all`: the services that
// the machine has. The same request and services give the same plan. InvalidArgument says which
// field cannot be.
absl::StatusOr<std::vector<hv::v1::Injection>> PlanChaos(const hv::v1::ChaosRequest& request,
                                                         const std::vector<std::string>& all);

// The fault that carries an injection out.
hv::v1::Fault FaultOf(const hv::v1::Injection& injection);

}  // namespace hv::hvd
