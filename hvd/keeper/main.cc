// hv_keeper: holds for hvd what must outlive it. Starts with hvd's connection at descriptor 3, over
// which the first message brings the socket at which it waits for the next hvd.
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "base/unique_fd.h"
#include "hvd/keeper/keeping.h"
#include "service/descriptor_socket.h"
#include "service/sandbox.h"

namespace {

constexpr int kSocket = 3;

bool IsOwnUser(int connection) {
  ucred peer{};
  socklen_t bytes = sizeof(peer);
  return getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0 &&
         peer.uid == geteuid();
}

// The next connection of the own user.
hv::UniqueFd Accept(int listener) {
  for (;;) {
    hv::UniqueFd connection(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    if (connection.valid() && IsOwnUser(connection.get())) return connection;
    if (connection.valid() || errno == EINTR || errno == ECONNABORTED) continue;
    constexpr timespec kPause{.tv_sec = 0, .tv_nsec = 50'000'000};  // short of descriptors
    nanosleep(&kPause, nullptr);
  }
}

}  // namespace

int main() {
  prctl(PR_SET_NAME, "hv_keeper");
  hv::service::SandboxReport sandbox;
  hv::service::EnterNamespaces(std::array{kSocket}, sandbox);
  hv::service::CloseSystemCalls(sandbox, std::array{SCMP_SYS(accept4), SCMP_SYS(geteuid)});
  auto first = hv::service::ReceiveWithDescriptors(kSocket);
  if (!first.ok() || first->fds.size() != 1) {
    std::fprintf(stderr, "hv_keeper: descriptor 3 brings no socket to listen at\n");
    return 1;
  }
  const hv::UniqueFd listener = std::move(first->fds.front());
  hv::keeper::Keeping keeping;
  keeping.Serve(kSocket);
  close(kSocket);
  while (!keeping.empty()) keeping.Serve(Accept(listener.get()).get());
  return 0;
}
