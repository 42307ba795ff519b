#include "hvd/readiness.h"

#include <fcntl.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace hv::hvd {

Readiness::Readiness(int fd) : fd_(fd) {
  if (fd >= 0) fcntl(fd, F_SETFD, FD_CLOEXEC);
}

void Readiness::Ready() { Say("ready\n"); }

void Readiness::Failed(const absl::Status& status) {
  const char* kind = absl::IsAlreadyExists(status) ? "busy: " : "error: ";
  Say(absl::StrCat(kind, status.message(), "\n"));
}

void Readiness::Say(const std::string& line) {
  if (!fd_.valid()) return;
  // Who does not listen any more misses it.
  [[maybe_unused]] const ssize_t written = write(fd_.get(), line.data(), line.size());
  fd_.Reset();
}

}  // namespace hv::hvd
