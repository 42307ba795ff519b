#include "integration_tests/harness/hvctl.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/check.h"
#include "base/temporary_folder.h"

namespace hv::testing {
namespace {

namespace fs = std::filesystem;
constexpr int kPatienceMs = 60'000;

}  // namespace

Hvctl::Hvctl() {
  // Not the test's own temporary folder: its path may be too long for a socket.
  char name[] = "/tmp/hv-test-XXXXXX";
  CHECK(mkdtemp(name) != nullptr);
  folder_ = name;
  socket_ = folder_ + "/hvd.sock";
}

Hvctl::Hvctl(const std::string& socket) : Hvctl() { socket_ = socket; }

Hvctl::~Hvctl() {
  const pid_t hvd = HvdPid();
  if (hvd > 0) {
    kill(hvd, SIGTERM);
    AwaitEnd(hvd);
  }
  RemoveFolder(folder_);
}

std::vector<std::string> Hvctl::Command(const std::vector<std::string>& arguments) const {
  std::vector<std::string> command{fs::absolute("cli/hvctl"), "--socket", socket()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

std::unique_ptr<Child> Hvctl::Start(const std::vector<std::string>& arguments,
                                    bool terminal) const {
  return std::make_unique<Child>(Command(arguments), terminal);
}

Hvctl::Result Hvctl::Run(const std::vector<std::string>& arguments) const {
  const auto child = Start(arguments);
  child->CloseInput();
  const int status = child->Wait();
  return {status, child->output(), child->errors()};
}

pid_t Hvctl::HvdPid() const {
  std::ifstream lock(socket() + ".lock");
  pid_t pid = -1;
  lock >> pid;
  return lock && Alive(pid) && ProcessName(pid) == "hvd" ? pid : -1;
}

bool Hvctl::AwaitEnd(pid_t pid) {
  const UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!process.valid()) return true;
  pollfd ended{.fd = process.get(), .events = POLLIN, .revents = 0};
  return poll(&ended, 1, kPatienceMs) == 1;
}

std::vector<pid_t> Descendants(pid_t pid) {
  std::vector<pid_t> all;
  std::error_code gone;
  for (const auto& task : fs::directory_iterator("/proc/" + std::to_string(pid) + "/task", gone)) {
    std::ifstream children(task.path() / "children");
    for (pid_t child; children >> child;) {
      all.push_back(child);
      const auto further = Descendants(child);
      all.insert(all.end(), further.begin(), further.end());
    }
  }
  return all;
}

std::vector<pid_t> Parts(pid_t hvd) {
  std::vector<pid_t> parts;
  for (const pid_t pid : Descendants(hvd)) {
    // Without a name it has ended meanwhile, as a keeper does that has nothing left to keep.
    const std::string name = ProcessName(pid);
    if (!name.empty() && name != "hv_keeper") parts.push_back(pid);
  }
  return parts;
}

bool Alive(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(stat, line)) return false;
  return line[line.rfind(')') + 2] != 'Z';
}

void Signal(pid_t pid, int signal) {
  if (pid > 1) {
    kill(pid, signal);
  } else {
    ADD_FAILURE() << "no process " << pid << " to send signal " << signal;
  }
}

std::string ProcessName(pid_t pid) {
  std::ifstream comm("/proc/" + std::to_string(pid) + "/comm");
  std::string name;
  std::getline(comm, name);
  return name;
}

size_t OpenDescriptors(pid_t pid) {
  const fs::directory_iterator all("/proc/" + std::to_string(pid) + "/fd");
  return static_cast<size_t>(std::distance(begin(all), end(all)));
}

}  // namespace hv::testing
