#include "hvd/host/posix_launcher.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/unique_fd.h"
#include "hvd/host/time_slice.h"

namespace hv::hvd {
namespace {

constexpr int kSocket = 3;  // where every part of a machine looks for its manifest

class PosixProcess final : public Process {
 public:
  PosixProcess(pid_t pid, UniqueFd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
  ~PosixProcess() override {
    Kill();
    Reap();
  }
  pid_t pid() const override { return pid_; }
  int death_fd() const override { return pidfd_.get(); }
  ProcessActivity activity() const override { return ReadProcessActivity(pid_); }
  ProcessActivity thread_activity(pid_t thread) const override {
    return ReadThreadActivity(pid_, thread);
  }
  void AskForTimeSlice(std::chrono::nanoseconds slice) override {
    if (!end_) hvd::AskForTimeSlice(pid_, slice);
  }
  void Signal(int signal) override {
    // Through the pidfd: never a stranger that was given the same number.
    if (!end_) syscall(SYS_pidfd_send_signal, pidfd_.get(), signal, nullptr, 0);
  }
  ProcessEnd Reap() override {
    if (end_) return *end_;
    siginfo_t info{};
    int result;
    do {
      result =
          waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd_.get()), &info, WEXITED);
    } while (result != 0 && errno == EINTR);
    if (result == 0) {
      end_ = ProcessEnd{info.si_code != CLD_EXITED, info.si_status};
    } else {  // another's child
      AwaitDeath();
      end_ = ProcessEnd{.known = false};
    }
    return *end_;
  }

 private:
  void AwaitDeath() const {
    pollfd dead{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
    while (poll(&dead, 1, -1) < 0 && errno == EINTR) {
    }
  }

  const pid_t pid_;
  UniqueFd pidfd_;
  std::optional<ProcessEnd> end_;
};

// The attributes and file actions of posix_spawn, freed together.
class SpawnPlan {
 public:
  SpawnPlan(int socket, int log) {
    CHECK(posix_spawn_file_actions_init(&actions_) == 0);
    CHECK(posix_spawnattr_init(&attributes_) == 0);
    posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions_, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions_, log, 2);
    posix_spawn_file_actions_adddup2(&actions_, socket, kSocket);
    posix_spawn_file_actions_addclosefrom_np(&actions_, kSocket + 1);
    sigset_t all;
    sigset_t none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setflags(&attributes_,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;

  int Spawn(pid_t& pid, const std::string& path, const std::string& name) {
    std::vector<char> argument(name.begin(), name.end());
    argument.push_back('\0');
    char* arguments[] = {argument.data(), nullptr};
    return posix_spawn(&pid, path.c_str(), &actions_, &attributes_, arguments, environ);
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

}  // namespace

std::string ProcessEnd::InWords() const {
  if (!known) return "ended; how, only the hvd that had started it could have seen";
  if (!by_signal) return absl::StrCat("exited with status ", code);
  return absl::StrCat("killed by signal ", code, " (", strsignal(code), ")");
}

absl::StatusOr<std::unique_ptr<Process>> PosixLauncher::Launch(const std::string& name, int socket,
                                                               int log) {
  auto path = executables_.Find(name);
  if (!path.ok()) return path.status();
  SpawnPlan plan(socket, log);
  pid_t pid = 0;
  if (const int error = plan.Spawn(pid, *path, name); error != 0) {
    const std::string message = absl::StrCat("starting ", *path, ": ", std::strerror(error));
    if (error == EAGAIN || error == ENOMEM) return absl::ResourceExhaustedError(message);
    return absl::InternalError(message);
  }
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd.valid()) {
    const int error = errno;
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    return absl::ResourceExhaustedError(absl::StrCat("pidfd_open: ", std::strerror(error)));
  }
  return std::make_unique<PosixProcess>(pid, std::move(pidfd));
}

std::unique_ptr<Process> PosixLauncher::Adopt(pid_t pid, UniqueFd death_fd) {
  return std::make_unique<PosixProcess>(pid, std::move(death_fd));
}

}  // namespace hv::hvd
