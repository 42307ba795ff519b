// How a machine's end becomes hvctl's.
#pragma once

#include <string>

#include "proto/hv/v1/machine.pb.h"

namespace hv::cli {

// What run and wait exit with; see exit_status.h.
int ExitStatusOf(const hv::v1::MachineExit& exit);

// What to tell a person: nothing for a guest that switched itself off or ended by debug exit.
std::string ExplainExit(const hv::v1::MachineExit& exit);

}  // namespace hv::cli
