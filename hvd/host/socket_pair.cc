#include "hvd/host/socket_pair.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace hv::hvd {

absl::StatusOr<SocketPair> MakeSocketPair(int type) {
  int sockets[2];
  if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, sockets) != 0) {
    return absl::ResourceExhaustedError(absl::StrCat("socketpair: ", std::strerror(errno)));
  }
  return SocketPair{UniqueFd(sockets[0]), UniqueFd(sockets[1])};
}

}  // namespace hv::hvd
