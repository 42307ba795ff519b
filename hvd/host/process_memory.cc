#include "hvd/host/process_memory.h"

#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"

namespace hv::hvd {

ProcessMemory ReadProcessMemory(pid_t pid) {
  constexpr uint64_t kKibibyte = 1024;
  ProcessMemory memory;
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  for (std::string line; std::getline(status, line);) {
    std::istringstream fields(line);
    std::string name;
    uint64_t kibibytes = 0;
    fields >> name >> kibibytes;
    if (name == "VmRSS:") memory.resident_bytes = kibibytes * kKibibyte;
    if (name == "RssAnon:") memory.private_bytes = kibibytes * kKibibyte;
  }
  return memory;
}

}  // namespace hv::hvd
