// Starting a part of a machine in two steps: the process first, its manifest later. What waits
// between the two is a standby.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "hvd/host/process.h"
#include "hvd/plan/manifests.h"
#include "hvd/plan/segment_set.h"
#include "hvd/supervision/machine_records.h"

namespace hv::hvd {

// A process that waits on `manifest_socket` for its manifest, or has had it: then connections go to
// it over `control`.
struct LaunchedPart {
  std::unique_ptr<Process> process;
  UniqueFd manifest_socket;
  UniqueFd control;
};

// Starts the program of `endpoint`'s role; `log` is its standard error.
absl::StatusOr<LaunchedPart> LaunchPart(Launcher& launcher, uint32_t endpoint, int log);

// Puts the part into `records`, sends it the manifest of `endpoint` under `epoch`, and returns
// hvd's end of the first control connection. Unavailable: the process is dead already.
absl::StatusOr<UniqueFd> AttachPart(LaunchedPart& part, const MachinePlan& plan,
                                    const SegmentSet& segments, uint32_t endpoint, uint32_t epoch,
                                    MachineRecords& records);

// hvd's end of one more control connection to a part that has its manifest. Unavailable: it is
// dead.
absl::StatusOr<UniqueFd> ConnectTo(const LaunchedPart& part);

}  // namespace hv::hvd
