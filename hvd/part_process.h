// Starting a part of a machine in two steps: the process first, its manifest later. What waits
// between the two is a standby.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "hvd/machine_records.h"
#include "hvd/manifests.h"
#include "hvd/process.h"
#include "hvd/segment_set.h"

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

// Two connected sockets, close-on-exec.
struct SocketPair {
  UniqueFd ours;
  UniqueFd theirs;
};
// `type`: SOCK_STREAM or SOCK_SEQPACKET. ResourceExhausted: no descriptors left.
absl::StatusOr<SocketPair> MakeSocketPair(int type);

}  // namespace hv::hvd
