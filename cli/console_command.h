// `hvctl run` and `hvctl console`: the two that take the terminal.
#pragma once

#include "absl/status/statusor.h"
#include "cli/hvd_client.h"
#include "cli/options.h"

namespace hv::cli {

// Fills in what of options.config depends on this process: absolute paths, sizes, a name. Once.
absl::Status CompleteConfig(Options& options);

// Unavailable: hvd has gone, or is going.
absl::Status CreateMachine(HvdClient& client, const Options& options);

// `signals`: of HoldEndingSignals().
//
// Starts the machine, shows its console to its end, to a signal, or until nobody reads it; deletes
// it. Returns the exit status. REQUIRES: CreateMachine was OK.
absl::StatusOr<int> RunMachine(HvdClient& client, const Options& options, int signals);

// Shows the console until the user leaves or the machine stops.
absl::StatusOr<int> AttachConsole(HvdClient& client, const Options& options, int signals);

}  // namespace hv::cli
