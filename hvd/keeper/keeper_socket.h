// The socket in the runtime folder at which hv_keeper waits for the next hvd.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace hv::hvd {

// SOCK_SEQPACKET, named `folder`/keeper.sock, mode 0600; what had that name is removed first.
absl::StatusOr<UniqueFd> ListenForNextHvd(const std::string& folder);

// A connection to whoever listens there. NotFound: nobody does.
absl::StatusOr<UniqueFd> ConnectToKeeper(const std::string& folder);

void RemoveKeeperSocket(const std::string& folder);

}  // namespace hv::hvd
