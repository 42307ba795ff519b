// What each subcommand does.
#pragma once

#include <CLI/CLI.hpp>

#include "cli/options.h"

namespace hv::cli {

// Carries out the subcommand that `app` parsed into `options`; returns hvctl's exit status.
// Failures are told on standard error.
int Execute(const CLI::App& app, Options& options);

}  // namespace hv::cli
