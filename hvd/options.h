// hvd's command line.
#pragma once

#include <optional>
#include <string>

namespace hv::hvd {

struct Options {
  std::string socket;          // where to listen
  std::string runtime_folder;  // for the files of machines
  std::string libexec;         // folder of the parts' programs; empty: beside hvd
  int ready_fd = -1;           // told when hvd listens, or why it cannot
  bool exit_when_idle = false;
  std::optional<int> exit_status;  // set: nothing to do but exit with it (--help, bad options)
};

// Prints help, version and complaints itself.
Options ParseOptions(int argc, char** argv);

}  // namespace hv::hvd
