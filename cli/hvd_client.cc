#include "cli/hvd_client.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/unique_fd.h"

namespace hv::cli {
namespace {

constexpr int kPollMs = 50;

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
  // The channel finds the next hvd by itself, and soon: the socket is this host's.
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kPollMs);
  // In spite of its name, how long a connection may take to come about; a slow host needs its time.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, std::chrono::milliseconds(kPatience).count());
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2 * kPollMs);
  return HvdClient(socket,
                   grpc::CreateCustomChannel(absl::StrCat("unix:", socket),
                                             grpc::InsecureChannelCredentials(), arguments));
}

bool HvdClient::AwaitReturn(Clock::time_point gone_since,
                            const std::function<bool()>& cancelled) const {
  while (!cancelled() && Clock::now() < gone_since + kPatience) {
    // Also before the first look: one that is being killed may still seem to listen.
    std::this_thread::sleep_for(std::chrono::milliseconds(kPollMs));
    if (Reach(socket_).ok()) return true;
    // An error may be another's start at the same time; what lasts is seen by the patience.
    if (start_) start_().IgnoreError();
  }
  return false;
}

}  // namespace hv::cli
