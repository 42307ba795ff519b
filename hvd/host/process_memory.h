// How much memory a process occupies, as anybody may know it.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace hv::hvd {

struct ProcessMemory {
  uint64_t resident_bytes = 0;  // shared segments included
  uint64_t private_bytes = 0;   // anonymous memory of its own
};

// From /proc/PID/status, which is readable for processes that are not dumpable too. Zeros when the
// process is gone.
ProcessMemory ReadProcessMemory(pid_t pid);

}  // namespace hv::hvd
