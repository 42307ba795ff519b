// Everything hvctl's command line can say, as plain data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proto/hv/v1/machine.pb.h"

namespace hv::cli {

struct Options {
  // For every command.
  std::string socket;
  std::string libexec;
  bool json = false;

  std::string name;  // of the machine the command is about

  // run
  hv::v1::MachineConfig config;  // paths as given
  std::vector<std::string> modules;
  std::string memory;
  bool detach = false;
  bool no_reboot = false;

  bool quiet = false;           // ps
  bool registers = false;       // inspect
  bool show_memory = false;     // inspect
  std::string translate;        // inspect: a linear address
  uint32_t vcpu = 0;            // inspect
  std::string dirty_log;        // memory: on, off or take
  std::string protect;          // memory: a range
  std::string unprotect;        // memory: a range
  bool all_output = false;      // console
  uint32_t grace_seconds = 30;  // stop
  bool force = false;           // stop, rm
  double interval_seconds = 0;  // stats
  std::string shell;            // completion
};

}  // namespace hv::cli
