// Debian's kernel with a BusyBox shell, as tools/guest makes them.
#pragma once

#include <string>
#include <vector>

namespace hv::testing {

// What the shell prompts with.
inline constexpr char kPrompt[] = "~ # ";

std::string LinuxKernel();  // bzImage
std::string LinuxInitrd();
// hvctl's arguments to run it as `name`, on the engine that every host has; `more` goes onto the
// kernel's command line.
std::vector<std::string> RunLinux(const std::string& name, const std::string& more = "");

}  // namespace hv::testing
