// What Linux says of a process's main thread.
#pragma once

#include <sys/types.h>

#include <chrono>

namespace hv::hvd {

struct ProcessActivity {
  char state = 'R';                 // as in /proc/PID/stat
  std::chrono::nanoseconds cpu{0};  // since it started
};

// Of a process that is gone: state 'Z'.
ProcessActivity ReadProcessActivity(pid_t pid);

}  // namespace hv::hvd
