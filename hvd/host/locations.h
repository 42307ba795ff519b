// Where hv's files are: the runtime folder, the socket, the executables. Shared by hvd and hvctl.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace hv::hvd {

// $XDG_RUNTIME_DIR/hv; without such a folder /run/hv for root and /tmp/hv-UID for others.
std::string DefaultRuntimeFolder();

// $HV_SOCKET, else hvd.sock in the runtime folder.
std::string DefaultSocketPath();

// Finds hv's programs next to the one that runs. Layouts, tried in order: one flat folder; Bazel's
// tree, where `timer_svc` is ../timer_svc/timer_svc or ../device_svc/timer/timer_svc; an
// installation, where programs are in bin and libexec/hv of one prefix.
class Executables {
 public:
  // `libexec`: where to look instead; empty for the layouts above.
  explicit Executables(std::string libexec = "");
  // For tests: as if the running program lay in `own_folder`.
  static Executables Beside(std::string own_folder);

  // Path of program `name`. NotFound lists where it was looked for.
  absl::StatusOr<std::string> Find(const std::string& name) const;

 private:
  std::vector<std::string> Candidates(const std::string& name) const;

  std::string libexec_;
  std::string own_folder_;
};

}  // namespace hv::hvd
