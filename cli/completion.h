// Shell completion, made from the command line's own description.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace hv::cli {

// A bash script for `eval`: subcommands, their options, machine names, files.
std::string BashCompletion(const CLI::App& app);

}  // namespace hv::cli
