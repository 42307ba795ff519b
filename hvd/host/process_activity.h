// What Linux says of a thread of a process.
#pragma once

#include <sys/types.h>

#include <chrono>

namespace hv::hvd {

struct ProcessActivity {
  char state = 'R';                 // as in /proc/PID/stat
  std::chrono::nanoseconds cpu{0};  // since it started
};

// Of a process that is gone, or has no such thread: state 'Z'.
ProcessActivity ReadThreadActivity(pid_t pid, pid_t thread);
// Of its main thread, whose id is its own.
inline ProcessActivity ReadProcessActivity(pid_t pid) { return ReadThreadActivity(pid, pid); }

}  // namespace hv::hvd
