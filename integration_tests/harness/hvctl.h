// hvctl and an hvd of the test's own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "integration_tests/harness/child.h"

namespace hv::testing {

class Hvctl {
 public:
  struct Result {
    int status;
    std::string output;
    std::string errors;
  };

  Hvctl();
  // One that listens on `socket` instead of in folder().
  explicit Hvctl(const std::string& socket);
  // Ends hvd and with it what machines are left.
  ~Hvctl();

  // Runs a command to its end.
  Result Run(const std::vector<std::string>& arguments) const;
  // Starts one to speak with.
  std::unique_ptr<Child> Start(const std::vector<std::string>& arguments,
                               bool terminal = false) const;

  // A folder of the test's own; the socket is in it.
  const std::string& folder() const { return folder_; }
  const std::string& socket() const { return socket_; }
  // Of the hvd that listens on the socket; -1: none does.
  pid_t HvdPid() const;
  // Waits until that hvd is gone.
  static bool AwaitEnd(pid_t pid);

 private:
  std::vector<std::string> Command(const std::vector<std::string>& arguments) const;
  std::string folder_;
  std::string socket_;
};

// Every process descended from `pid`.
std::vector<pid_t> Descendants(pid_t pid);
// Those of them that are parts of machines: all but hv_keeper.
std::vector<pid_t> Parts(pid_t hvd);
bool Alive(pid_t pid);
// To that process; a pid that is none fails the test: to kill(2), 0 and -1 mean many.
void Signal(pid_t pid, int signal);
// As `ps -o comm` shows it.
std::string ProcessName(pid_t pid);
size_t OpenDescriptors(pid_t pid);

}  // namespace hv::testing
