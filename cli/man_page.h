// The manual page, made from the command line's own description.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace hv::cli {

// hvctl(1) in man(7) macros.
std::string ManPage(const CLI::App& app);

}  // namespace hv::cli
