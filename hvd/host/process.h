// A process that hvd has started, and how it starts them; the seam at which tests bring their own.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "hvd/host/process_activity.h"

namespace hv::hvd {

// How a process ended.
struct ProcessEnd {
  bool by_signal = false;
  int code = 0;       // exit status or signal number
  bool known = true;  // false: only its parent could have asked, an hvd that is gone

  // "exited with status 1", "killed by signal 9 (Killed)", "ended; how, only the hvd that had
  // started it could have seen".
  std::string InWords() const;
};

class Process {
 public:
  // Kills and reaps what is still alive.
  virtual ~Process() = default;
  virtual pid_t pid() const = 0;
  // Readable once the process is dead: for EventLoop::WhenReadable.
  virtual int death_fd() const = 0;
  virtual ProcessActivity activity() const = 0;
  // Of one of its threads; of a thread that is not its own as of one that is gone.
  virtual ProcessActivity thread_activity(pid_t thread) const = 0;
  // AskForTimeSlice of its first thread.
  virtual void AskForTimeSlice(std::chrono::nanoseconds) {}
  // No effect on a dead process.
  virtual void Signal(int signal) = 0;
  void Kill() { Signal(SIGKILL); }
  // Waits for the death and returns how it came; the same answer again later.
  virtual ProcessEnd Reap() = 0;
};

class Launcher {
 public:
  virtual ~Launcher() = default;
  // Starts program `name` (as Executables finds it) with `socket` as its descriptor 3 and `log` as
  // its standard error; both stay the caller's. No other descriptor goes along.
  virtual absl::StatusOr<std::unique_ptr<Process>> Launch(const std::string& name, int socket,
                                                          int log) = 0;
  // A process that another hvd's launcher had started: `death_fd` is what its Process had.
  virtual std::unique_ptr<Process> Adopt(pid_t pid, UniqueFd death_fd) = 0;
};

}  // namespace hv::hvd
