// Starting an hvd for one's own machines.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace hv::cli {

// Starts `program` listening on `socket`, in a session of its own, so that it outlives this
// terminal; it ends when its last machine is deleted. Returns when it listens, or with its own
// words why it cannot. AlreadyExists: another hvd has the socket, and does not listen yet or is
// ending.
absl::Status StartPrivateHvd(const std::string& program, const std::string& socket,
                             const std::string& libexec);

}  // namespace hv::cli
