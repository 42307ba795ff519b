#include "service/run_service.h"

#include <grpc/grpc.h>
#include <grpcpp/impl/codegen/service_type.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <functional>
#include <semaphore>
#include <thread>

#include "service/control_server.h"
#include "service/fault_effects.h"
#include "service/live_state_access.h"
#include "service/machine_clock.h"
#include "service/mailbox.h"
#include "service/poll_loop.h"
#include "service/role_name.h"
#include "service/sandbox.h"
#include "service/service_control.h"
#include "service/wiring.h"

namespace hv::service {
namespace {

// The thread of the control endpoint. It is started while nobody waits for this process, and so has
// the patience hvd gives a standby (hvd/host/time_slice.h): once the guest waits, the loop comes
// first.
class ControlThread {
 public:
  ControlThread()
      : thread_([this] {
          begun_.acquire();
          if (serve_) serve_();
        }) {}
  ~ControlThread() {
    if (!serve_) begun_.release();
    thread_.join();
  }
  ControlThread(const ControlThread&) = delete;
  // Once.
  void Begin(std::function<void()> serve) {
    serve_ = std::move(serve);
    begun_.release();
  }

 private:
  std::binary_semaphore begun_{0};
  std::function<void()> serve_;
  std::thread thread_;
};

// Everything up to the manifest is a standby's life: started, linked and shut in, with gRPC's
// threads running, so that taking over is to map and go on.
absl::Status Serve(const ServiceSpec& spec) {
  SandboxReport sandbox;
  EnterNamespaces(std::array{kManifestSocket}, sandbox);
  CloseSystemCalls(sandbox, {}, spec.requests);
  grpc_init();
  ControlThread control_thread;

  auto attached = Attachment::Receive(kManifestSocket);
  close(kManifestSocket);
  if (!attached.ok()) return attached.status();
  Attachment& attachment = *attached;
  const hv::v1::Manifest& manifest = attachment.manifest();
  UniqueFd control = attachment.TakeControl();

  auto core = spec.make_core(attachment);
  if (!core.ok()) return core.status();
  auto wiring = Wiring::Make(attachment);
  if (!wiring.ok()) return wiring.status();
  auto state = StateSegment::Open(attachment.Find(HV_SEGMENT_STATE), spec.role, manifest.epoch(),
                                  (*core)->state_bytes(), (*core)->state_layout());
  if (!state.ok()) return state.status();
  if (auto status = state->CheckCurrent(wiring->ports().size()); !status.ok()) return status;
  if (spec.start_threads) {
    if (auto status = spec.start_threads(attachment, state->current_state()); !status.ok()) {
      return status;
    }
  }

  MachineClock clock(manifest.tsc_base(), manifest.tsc_hz());
  Mailbox mailbox(wiring->self_waker());
  ProcessFaults faults;
  LiveCommitter committer(**core, *state, manifest.endpoint(), wiring->ports(),
                          FaultPoints(&state->faults(), &faults));
  PollLoop loop(committer, clock, wiring->sleeper(), wiring->peer_wakers(), wiring->spin_budget(),
                mailbox);
  LiveStateAccess access(committer, loop, mailbox, clock);
  std::vector<std::unique_ptr<grpc::Service>> extra;
  if (spec.extra_services) extra = spec.extra_services(attachment, access);
  ServiceControl service({.name = RoleName(spec.role),
                          .endpoint = manifest.endpoint(),
                          .epoch = manifest.epoch(),
                          .maps = attachment.DescribeMaps(),
                          .sandbox = sandbox.in_force,
                          .sandbox_missing = sandbox.missing},
                         committer, loop, mailbox, clock, FaultPoints(&state->faults(), &faults));
  std::vector<grpc::Service*> services{&service};
  for (const auto& one : extra) services.push_back(one.get());
  // The guest comes first: hvd is answered once the loop runs.
  control_thread.Begin([&] {
    ControlServer(services).ServeAllFrom(control.get());
    // Nobody is left to end or replace this process. It may end anywhere: that is what commits are
    // for.
    _exit(0);
  });
  loop.Run();
  return absl::OkStatus();
}

}  // namespace

int RunService(const ServiceSpec& spec) {
  prctl(PR_SET_NAME, RoleName(spec.role));
  const absl::Status status = Serve(spec);
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s: %s\n", RoleName(spec.role), status.ToString().c_str());
  return 1;
}

}  // namespace hv::service
