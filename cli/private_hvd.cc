#include "cli/private_hvd.h"

#include <fcntl.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/unique_fd.h"

namespace hv::cli {
namespace {

constexpr int kReadyFd = 3;
constexpr int kExecFailed = 127;

// Between fork and exec: system calls only.
[[noreturn]] void BecomeHvd(int ready, char* const* arguments) {
  setsid();
  const int null = open("/dev/null", O_RDWR);
  dup2(null, STDIN_FILENO);
  dup2(null, STDOUT_FILENO);
  dup2(null, STDERR_FILENO);
  if (ready == kReadyFd) {
    fcntl(ready, F_SETFD, 0);
  } else {
    dup2(ready, kReadyFd);
  }
  execv(arguments[0], arguments);
  _exit(kExecFailed);
}

std::string ReadAll(int fd) {
  std::string text;
  char piece[512];
  for (;;) {
    const ssize_t got = read(fd, piece, sizeof(piece));
    if (got > 0) {
      text.append(piece, static_cast<size_t>(got));
    } else if (got == 0 || errno != EINTR) {
      return text;
    }
  }
}

}  // namespace

absl::Status StartPrivateHvd(const std::string& program, const std::string& socket,
                             const std::string& libexec) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return absl::ResourceExhaustedError(absl::StrCat("no pipe: ", std::strerror(errno)));
  }
  const UniqueFd ready(ends[0]);
  UniqueFd told(ends[1]);

  std::vector<std::string> arguments{
      program, "--socket", socket, "--exit-when-idle", "--ready-fd", std::to_string(kReadyFd)};
  if (!libexec.empty()) arguments.insert(arguments.end(), {"--libexec", libexec});
  std::vector<char*> pointers;
  pointers.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);

  const pid_t child = fork();
  if (child < 0) {
    return absl::ResourceExhaustedError(absl::StrCat("no process: ", std::strerror(errno)));
  }
  if (child == 0) BecomeHvd(told.get(), pointers.data());
  told.Reset();
  const std::string said = ReadAll(ready.get());
  if (absl::StartsWith(said, "ready")) return absl::OkStatus();

  int status = 0;
  waitpid(child, &status, 0);
  absl::string_view reason = said;
  const bool busy = absl::ConsumePrefix(&reason, "busy: ");
  if (!busy && !absl::ConsumePrefix(&reason, "error: ")) {
    return absl::InternalError(absl::StrCat(program, " did not start (wait status ", status, ")"));
  }
  absl::ConsumeSuffix(&reason, "\n");
  const std::string message = absl::StrCat("hvd: ", reason);
  return busy ? absl::AlreadyExistsError(message) : absl::FailedPreconditionError(message);
}

}  // namespace hv::cli
