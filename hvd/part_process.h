// Starting a part of a machine in two steps: the process first, its manifest later. What waits
// between the two is a standby.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "hvd/manifests.h"
#include "hvd/process.h"
#include "hvd/segment_set.h"

namespace hv::hvd {

// A process that waits on `manifest_socket` for its manifest.
struct LaunchedPart {
  std::unique_ptr<Process> process;
  UniqueFd manifest_socket;
};

// Starts the program of `endpoint`'s role; `log` is its standard error.
absl::StatusOr<LaunchedPart> LaunchPart(Launcher& launcher, uint32_t endpoint, int log);

// Sends the manifest of `endpoint` under `epoch` and returns hvd's end of the control connection.
// Unavailable: the process is dead already.
absl::StatusOr<UniqueFd> AttachPart(const LaunchedPart& part, const MachinePlan& plan,
                                    const SegmentSet& segments, uint32_t endpoint, uint32_t epoch);

// Two connected sockets, close-on-exec.
struct SocketPair {
  UniqueFd ours;
  UniqueFd theirs;
};
// `type`: SOCK_STREAM or SOCK_SEQPACKET. ResourceExhausted: no descriptors left.
absl::StatusOr<SocketPair> MakeSocketPair(int type);

}  // namespace hv::hvd
