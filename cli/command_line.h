// hvctl's commands, options and their help: the one source of --help, completion and manual page.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/options.h"

namespace hv::cli {

// `options` is filled in by parsing and outlives the App. Exactly one subcommand is parsed.
std::unique_ptr<CLI::App> MakeApp(Options& options);

}  // namespace hv::cli
