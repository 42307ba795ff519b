// Everything hvctl's command line can say, as plain data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proto/hv/v1/machine.pb.h"

namespace hv::cli {

// hvctl fault: names as typed.
struct FaultOptions {
  std::string service;  // set
  std::string point;
  std::string action;
  uint64_t nth = 0;
  uint64_t every = 0;
  double rate = 0;  // of set: a chance; of chaos: injections a second
  uint64_t seed = 0;
  uint32_t times = 0;
  std::string kind;
  uint64_t argument = 0;
  std::vector<uint32_t> ids;  // clear

  // chaos
  std::vector<std::string> services;
  std::vector<std::string> actions;
  std::vector<std::string> points;
  double seconds = 0;
  std::string replay;  // a file that chaos --json wrote
};

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
  std::string translation_cache;
  bool detach = false;
  bool no_reboot = false;

  bool quiet = false;           // ps
  bool registers = false;       // inspect
  bool show_memory = false;     // inspect
  std::string translate;        // inspect: a linear address
  uint32_t vcpu = 0;            // inspect
  std::string dirty_log;        // memory: on, off or take
  std::string watch_writes;     // memory: on, off or take
  std::string at;               // memory: where dirty_log or watch_writes begins
  uint64_t bytes = 0;           // memory: of how much; 0: all from there on
  std::string protect;          // memory: a range
  std::string unprotect;        // memory: a range
  bool all_output = false;      // console
  uint32_t grace_seconds = 30;  // stop
  bool force = false;           // stop, rm
  std::string service;          // replace
  double interval_seconds = 0;  // stats
  bool of_engine = false;       // stats
  std::string shell;            // completion
  FaultOptions fault;
};

}  // namespace hv::cli
