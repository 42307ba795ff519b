// The names of fault points and actions, as people type and read them.
#pragma once

#include <string>

#include "proto/hv/v1/fault.pb.h"

namespace hv::hvd {

// "mid-publish", "kill"; "?" for what has no name.
std::string PointName(hv::v1::FaultPoint point);
std::string ActionName(hv::v1::FaultAction action);
// UNSPECIFIED: there is none of that name.
hv::v1::FaultPoint PointNamed(const std::string& name);
hv::v1::FaultAction ActionNamed(const std::string& name);

}  // namespace hv::hvd
