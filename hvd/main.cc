// hvd: the daemon that makes machines and keeps their parts alive.
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "hvd/api/server.h"
#include "hvd/host/event_loop.h"
#include "hvd/host/locations.h"
#include "hvd/host/machine_clock_base.h"
#include "hvd/host/posix_launcher.h"
#include "hvd/host/runtime_folder.h"
#include "hvd/host/socket_claim.h"
#include "hvd/keeper/keeper_client.h"
#include "hvd/machine/boot_process.h"
#include "hvd/machine/machine_registry.h"
#include "hvd/options.h"
#include "hvd/readiness.h"
#include "hvd/signals.h"

namespace hv::hvd {

void Complain(const absl::Status& status, Readiness& readiness) {
  readiness.Failed(status);
  std::fprintf(stderr, "hvd: %s\n", std::string(status.message()).c_str());
}

namespace {

// A private hvd whose client never asked for a machine goes away after this.
constexpr std::chrono::seconds kFirstMachine{30};

absl::Status LeftUntouched(const absl::Status& status) {
  return absl::FailedPreconditionError(
      absl::StrCat("the machines of a killed hvd are there, but its hv_keeper does not hand them "
                   "over: ",
                   status.message(), "; end that hv_keeper, which ends them"));
}

absl::Status Serve(const Options& options, Readiness& readiness) {
  auto folder = RuntimeFolder::Open(options.runtime_folder);
  if (!folder.ok()) return folder.status();
  auto claim = SocketClaim::Take(options.socket);
  if (!claim.ok()) return claim.status();
  const auto tsc_hz = HostTscHz();
  if (!tsc_hz.ok()) return tsc_hz.status();

  EventLoop loop;
  EventBus events;
  PosixLauncher launcher{Executables(options.libexec)};
  KeeperClient keeper(loop, launcher, folder->path());
  auto left = keeper.TakeOver();
  if (!left.ok()) return LeftUntouched(left.status());
  BootProcess loader(launcher);
  MachineRegistry registry(World{.loop = loop,
                                 .launcher = launcher,
                                 .loader = loader,
                                 .events = events,
                                 .folder = *folder,
                                 .keeper = keeper,
                                 .tsc_hz = *tsc_hz},
                           options.exit_when_idle ? RequestEnd : nullptr);
  for (const std::string& text : registry.Restore(*std::move(left))) {
    std::fprintf(stderr, "hvd: %s\n", text.c_str());
  }
  auto server = Server::Listen(options.socket, registry, events);
  if (!server.ok()) {
    Complain(server.status(), readiness);
    _exit(1);  // at once: the machines stay with the keeper, for an hvd that can listen
  }
  if (options.exit_when_idle) {
    loop.After(kFirstMachine, [&registry] {
      if (registry.CloseIfEmpty()) RequestEnd();
    });
  }
  readiness.Ready();
  AwaitEnd();
  registry.DeleteAll();  // while clients can still hear of it
  return absl::OkStatus();
}

}  // namespace
}  // namespace hv::hvd

int main(int argc, char** argv) {
  const auto options = hv::hvd::ParseOptions(argc, argv);
  if (options.exit_status) return *options.exit_status;
  umask(077);
  hv::hvd::HoldSignals();
  hv::hvd::RaiseDescriptorLimit();
  hv::hvd::Readiness readiness(options.ready_fd);
  const absl::Status status = hv::hvd::Serve(options, readiness);
  if (status.ok()) return 0;
  hv::hvd::Complain(status, readiness);
  return 1;
}
