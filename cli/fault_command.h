// `hvctl fault`: faults on purpose.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "cli/hvd_client.h"
#include "cli/options.h"

namespace hv::cli {

// `verb`: set, list, clear or chaos. Prints the answer and returns the exit status.
absl::StatusOr<int> InjectFaults(const std::string& verb, HvdClient& client,
                                 const Options& options);

}  // namespace hv::cli
