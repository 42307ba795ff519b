#include "hvd/host/process_activity.h"

#include <cstdint>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"

namespace hv::hvd {

ProcessActivity ReadThreadActivity(pid_t pid, pid_t thread) {
  const std::string task = absl::StrCat("/proc/", pid, "/task/", thread);
  ProcessActivity activity{.state = 'Z'};
  std::string stat;
  std::getline(std::ifstream(task + "/stat"), stat);
  // The name before the state may contain anything (proc(5)).
  if (const size_t name_end = stat.rfind(") "); name_end != std::string::npos) {
    activity.state = stat[name_end + 2];
  }
  uint64_t cpu_ns = 0;
  if (std::ifstream(task + "/schedstat") >> cpu_ns) activity.cpu = std::chrono::nanoseconds(cpu_ns);
  return activity;
}

}  // namespace hv::hvd
