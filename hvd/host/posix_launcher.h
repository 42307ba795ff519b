// Starts real processes with posix_spawn and watches them through pidfds.
#pragma once

#include "hvd/host/locations.h"
#include "hvd/host/process.h"

namespace hv::hvd {

// Children are in sessions of their own, so that a terminal's Ctrl-C means hvd or hvctl alone, and
// are not tied to hvd's life: its death must not stop a guest.
class PosixLauncher : public Launcher {
 public:
  explicit PosixLauncher(Executables executables) : executables_(std::move(executables)) {}
  // NotFound: no such program. ResourceExhausted, Internal: it could not be started.
  absl::StatusOr<std::unique_ptr<Process>> Launch(const std::string& name, int socket,
                                                  int log) override;
  std::unique_ptr<Process> Adopt(pid_t pid, UniqueFd death_fd) override;

 private:
  Executables executables_;
};

}  // namespace hv::hvd
