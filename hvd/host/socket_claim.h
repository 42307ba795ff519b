// The right to listen on a socket path: one hvd at a time.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace hv::hvd {

// Held by a lock on PATH.lock, which the kernel drops when its holder dies, so that a stale socket
// is told from a live one without guessing. Removes the socket when it goes.
class SocketClaim {
 public:
  // AlreadyExists: another hvd listens there (names its pid). PermissionDenied, NotFound: the
  // folder does not let us. InvalidArgument: the path is too long for a socket or is something
  // else's. A stale socket is removed.
  static absl::StatusOr<SocketClaim> Take(const std::string& path);

  SocketClaim(SocketClaim&& other) noexcept;
  SocketClaim& operator=(SocketClaim&&) = delete;
  ~SocketClaim();

  const std::string& path() const { return path_; }

 private:
  SocketClaim(std::string path, UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  std::string path_;
  UniqueFd lock_;
};

}  // namespace hv::hvd
