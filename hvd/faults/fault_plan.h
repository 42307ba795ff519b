// What faults can be: from what a client asks for to a plan that the runtime carries out, and back.
#pragma once

#include <vector>

#include "abi/fault.h"
#include "absl/status/statusor.h"
#include "proto/hv/v1/fault.pb.h"

namespace hv::hvd {

// Whether `action` can befall a service at `point`, NOW included.
bool CanBeAt(hv::v1::FaultAction action, hv::v1::FaultPoint point);
// All points where it can be, NOW last.
std::vector<hv::v1::FaultPoint> PointsOf(hv::v1::FaultAction action);

// The plan for any point but NOW. InvalidArgument says which field cannot be and what can.
absl::StatusOr<hv_fault> PlanOf(const hv::v1::Fault& fault);
// The signal of a fault at NOW. InvalidArgument: `action` comes from inside only.
absl::StatusOr<int> SignalOf(hv::v1::FaultAction action);

hv::v1::Fault ShowPlan(const hv_fault& plan);

}  // namespace hv::hvd
