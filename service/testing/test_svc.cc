// A real service process for tests of the runtime: SumCore, and a back door through which the test
// has it do what an attacker inside would do.
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/run_service.h"
#include "service/test_core.h"
#include "service/testing/probe.h"
#include "service/testing/sandbox_attempts.h"

namespace hv::service {
namespace {

// How many descriptors of files, which segments are, are open: none should be left.
uint64_t OpenFiles() {
  uint64_t count = 0;
  for (int fd = 3; fd < 4096; ++fd) {
    struct stat info;  // SYS_fstat by hand: glibc's goes by way of paths, which the sandbox refuses
    if (syscall(SYS_fstat, fd, &info) == 0 && S_ISREG(info.st_mode)) ++count;
  }
  return count;
}

class ProbeCore : public SumCore {
 protected:
  bool Handle(SumState& state, const Message& message, uint64_t now_ns,
              Actions& actions) const override {
    if (message.kind != HV_KIND_READ) return SumCore::Handle(state, message, now_ns, actions);
    const auto access = message.As<hv_access>();
    const auto attempts = SandboxAttempts();
    uint64_t answer = 0;
    if (access.address == kProbeOpenFiles) {
      answer = OpenFiles();
    } else if (access.address < attempts.size()) {
      answer = static_cast<uint64_t>(attempts[access.address].run(static_cast<pid_t>(access.data)));
    }
    actions.Send(message.from, HV_KIND_READ_DONE, message.tag, hv_access_done{.data = answer});
    return true;
  }
};

}  // namespace
}  // namespace hv::service

int main() {
  return hv::service::RunService(
      {.role = HV_ROLE_TIMER, .make_core = [](const hv::service::Attachment&) {
         return absl::StatusOr<std::unique_ptr<hv::service::Core>>(
             std::make_unique<hv::service::ProbeCore>());
       }});
}
