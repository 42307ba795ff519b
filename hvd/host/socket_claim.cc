#include "hvd/host/socket_claim.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace hv::hvd {
namespace {

absl::Status OpenFailed(const std::string& path, int error) {
  const std::string message = absl::StrCat("socket ", path, ": ", std::strerror(error));
  switch (error) {
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(absl::StrCat(message, "; choose another with --socket"));
    case ENOENT:
    case ENOTDIR: return absl::NotFoundError(absl::StrCat(message, "; make its folder first"));
    default: return absl::FailedPreconditionError(message);
  }
}

std::string Holder(int lock) {
  char text[32] = {};
  const ssize_t got = pread(lock, text, sizeof(text) - 1, 0);
  return got > 0 ? std::string(absl::StripSuffix(text, "\n")) : "unknown";
}

}  // namespace

absl::StatusOr<SocketClaim> SocketClaim::Take(const std::string& path) {
  constexpr size_t kLongest = sizeof(sockaddr_un::sun_path) - 1;
  if (path.empty() || path.size() > kLongest) {
    return absl::InvalidArgumentError(absl::StrCat("socket path '", path, "' has ", path.size(),
                                                   " bytes, 1 to ", kLongest, " are possible"));
  }
  const std::string lock_path = path + ".lock";
  UniqueFd lock(open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock.valid()) return OpenFailed(path, errno);
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::AlreadyExistsError(absl::StrCat("socket ", path, " is busy: hvd with pid ",
                                                 Holder(lock.get()), " listens there"));
  }
  const std::string pid = absl::StrCat(getpid(), "\n");
  if (ftruncate(lock.get(), 0) != 0 ||
      pwrite(lock.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return OpenFailed(path, errno);
  }
  struct stat info;
  if (lstat(path.c_str(), &info) == 0) {
    if (!S_ISSOCK(info.st_mode)) {
      return absl::InvalidArgumentError(
          absl::StrCat("socket ", path, ": a file that is no socket is there; remove it"));
    }
    if (unlink(path.c_str()) != 0) return OpenFailed(path, errno);
  }
  return SocketClaim(path, std::move(lock));
}

SocketClaim::SocketClaim(SocketClaim&& other) noexcept
    : path_(std::exchange(other.path_, "")), lock_(std::move(other.lock_)) {}

SocketClaim::~SocketClaim() {
  if (path_.empty()) return;
  unlink(path_.c_str());
  // The lock file stays: removing it would let two claim at once.
}

}  // namespace hv::hvd
