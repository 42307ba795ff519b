// The signals that end a console session, taken as events instead of deaths.
#pragma once

#include "base/unique_fd.h"

namespace hv::cli {

// Holds SIGINT, SIGTERM and SIGHUP back from the calling thread and all that it starts, and returns
// a signalfd for them; SIGPIPE becomes an error of the write. REQUIRES: no other thread yet (gRPC
// starts some with the first channel): one that does not hold them back would take the process with
// it, and the machine would be left behind.
UniqueFd HoldEndingSignals();

}  // namespace hv::cli
