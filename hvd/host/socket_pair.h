// Pairs of connected sockets, one end for somebody else.
#pragma once

#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace hv::hvd {

// Two connected sockets, close-on-exec.
struct SocketPair {
  UniqueFd ours;
  UniqueFd theirs;
};
// `type`: SOCK_STREAM or SOCK_SEQPACKET. ResourceExhausted: no descriptors left.
absl::StatusOr<SocketPair> MakeSocketPair(int type);

}  // namespace hv::hvd
