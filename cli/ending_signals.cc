#include "cli/ending_signals.h"

#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>

#include <initializer_list>

#include "base/check.h"

namespace hv::cli {

UniqueFd HoldEndingSignals() {
  sigset_t ending;
  sigemptyset(&ending);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&ending, signal);
  pthread_sigmask(SIG_BLOCK, &ending, nullptr);
  signal(SIGPIPE, SIG_IGN);
  UniqueFd fd(signalfd(-1, &ending, SFD_CLOEXEC));
  CHECK(fd.valid());
  return fd;
}

}  // namespace hv::cli
