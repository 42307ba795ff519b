// Shuts a process in: after this it can compute, use what it has mapped, and talk on the
// descriptors it has. Nothing else.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace hv::service {

struct SandboxReport {
  std::vector<std::string> in_force;
  std::vector<std::string> missing;  // what the host did not permit, with the reason
};

// Before any thread is started: own namespaces with an empty root, no new privileges, no core
// dumps, no descriptors but `keep` and 0 to 2. What the host forbids is reported and the rest goes
// on.
void EnterNamespaces(std::span<const int> keep, SandboxReport& report);

// When everything is set up: the system-call allow-list, for all threads. Opening files, making
// sockets, ptrace, fork, exec and executable mappings fail with EPERM from here on. `also`: numbers
// of calls that this process needs beside. `requests`: those of ioctl(2) that it makes.
void CloseSystemCalls(SandboxReport& report, std::span<const int> also = {},
                      std::span<const uint64_t> requests = {});

}  // namespace hv::service
