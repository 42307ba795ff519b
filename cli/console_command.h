// `hvctl run` and `hvctl console`: the two that take the terminal.
#pragma once

#include "absl/status/statusor.h"
#include "cli/hvd_client.h"
#include "cli/options.h"

namespace hv::cli {

// `signals`: of HoldEndingSignals().
//
// Creates and starts the machine, shows its console to its end or to a signal, deletes it. Returns the
// exit status.
absl::StatusOr<int> RunMachine(HvdClient& client, Options& options, int signals);

// Shows the console until the user leaves or the machine stops.
absl::StatusOr<int> AttachConsole(HvdClient& client, const Options& options, int signals);

}  // namespace hv::cli
