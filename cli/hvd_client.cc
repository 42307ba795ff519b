#include "cli/hvd_client.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/unique_fd.h"

namespace hv::cli {
namespace {

// gRPC says of every socket it cannot reach the same; a connection of our own tells why.
absl::Status Reach(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("socket ", path, ": a path has 1 to ",
                                                   sizeof(address.sun_path) - 1, " bytes"));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  const UniqueFd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!probe.valid()) {
    return absl::ResourceExhaustedError(absl::StrCat("no socket: ", std::strerror(errno)));
  }
  if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
    return absl::OkStatus();
  }
  if (errno == EACCES || errno == EPERM) {
    return absl::PermissionDeniedError(
        absl::StrCat("socket ", path, ": belongs to another user; choose another with --socket"));
  }
  return absl::NotFoundError(absl::StrCat("socket ", path, ": no hvd listens there (",
                                          std::strerror(errno), "); start hvd, or hvctl run"));
}

}  // namespace

absl::Status FromGrpc(const grpc::Status& status) {
  std::string message = status.error_message();
  // gRPC's own words for it are those of sockets.
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE) {
    message = absl::StrCat("hvd, or a part of the machine, went away: ", message);
  }
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), message);
}

absl::StatusOr<HvdClient> HvdClient::Connect(const std::string& socket) {
  if (auto status = Reach(socket); !status.ok()) return status;
  return HvdClient(
      grpc::CreateChannel(absl::StrCat("unix:", socket), grpc::InsecureChannelCredentials()));
}

}  // namespace hv::cli
