#include "hvd/keeper/keeper_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace hv::hvd {
namespace {

constexpr char kName[] = "keeper.sock";

absl::Status Failed(const std::string& folder) {
  return absl::InternalError(
      absl::StrCat("socket ", folder, "/", kName, ": ", std::strerror(errno)));
}

// A folder's path may be longer than a socket's can be: it is named by its descriptor.
sockaddr_un AddressIn(const UniqueFd& folder) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = absl::StrCat("/proc/self/fd/", folder.get(), "/", kName);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

UniqueFd OpenFolder(const std::string& folder) {
  return UniqueFd(open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

UniqueFd MakeSocket() { return UniqueFd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)); }

}  // namespace

absl::StatusOr<UniqueFd> ListenForNextHvd(const std::string& folder) {
  RemoveKeeperSocket(folder);
  const UniqueFd place = OpenFolder(folder);
  UniqueFd listener = MakeSocket();
  if (!place.valid() || !listener.valid()) return Failed(folder);
  const sockaddr_un address = AddressIn(place);
  if (bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      fchmodat(place.get(), kName, 0600, 0) != 0 || listen(listener.get(), 1) != 0) {
    return Failed(folder);
  }
  return listener;
}

absl::StatusOr<UniqueFd> ConnectToKeeper(const std::string& folder) {
  const UniqueFd place = OpenFolder(folder);
  UniqueFd connection = MakeSocket();
  if (!place.valid() || !connection.valid()) return Failed(folder);
  const sockaddr_un address = AddressIn(place);
  if (connect(connection.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) ==
      0) {
    return connection;
  }
  if (errno == ENOENT || errno == ECONNREFUSED) return absl::NotFoundError("no keeper listens");
  return Failed(folder);
}

void RemoveKeeperSocket(const std::string& folder) {
  unlink(absl::StrCat(folder, "/", kName).c_str());
}

}  // namespace hv::hvd
