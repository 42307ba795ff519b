#include "service/run_service.h"

#include <grpcpp/impl/codegen/service_type.h>
#include <sys/prctl.h>

#include <array>
#include <cstdio>

#include "service/control_server.h"
#include "service/machine_clock.h"
#include "service/mailbox.h"
#include "service/poll_loop.h"
#include "service/role_name.h"
#include "service/sandbox.h"
#include "service/service_control.h"
#include "service/wiring.h"

namespace hv::service {
namespace {

absl::Status Serve(const ServiceSpec& spec) {
  auto attached = Attachment::Receive(kManifestSocket);
  if (!attached.ok()) return attached.status();
  Attachment& attachment = *attached;
  const hv::v1::Manifest& manifest = attachment.manifest();
  UniqueFd control = attachment.TakeControl();
  SandboxReport sandbox;
  EnterNamespaces(std::array{control.get()}, sandbox);

  auto core = spec.make_core(attachment);
  if (!core.ok()) return core.status();
  auto wiring = Wiring::Make(attachment);
  if (!wiring.ok()) return wiring.status();
  auto state = StateSegment::Open(attachment.Find(HV_SEGMENT_STATE), spec.role, manifest.epoch(),
                                  (*core)->state_bytes(), (*core)->state_layout());
  if (!state.ok()) return state.status();
  if (auto status = state->CheckCurrent(wiring->ports().size()); !status.ok()) return status;

  MachineClock clock(manifest.tsc_base(), manifest.tsc_hz());
  Mailbox mailbox(wiring->self_waker());
  LiveCommitter committer(**core, *state, manifest.endpoint(), wiring->ports());
  PollLoop loop(committer, clock, wiring->sleeper(), wiring->peer_wakers(), wiring->spin_budget(),
                mailbox);
  std::vector<std::unique_ptr<grpc::Service>> extra;
  if (spec.extra_services) extra = spec.extra_services(attachment);
  CloseSystemCalls(sandbox);
  ServiceControl service({.name = RoleName(spec.role),
                          .endpoint = manifest.endpoint(),
                          .epoch = manifest.epoch(),
                          .maps = attachment.DescribeMaps(),
                          .sandbox = sandbox.in_force,
                          .sandbox_missing = sandbox.missing},
                         committer, loop, mailbox, clock);
  std::vector<grpc::Service*> services{&service};
  for (const auto& one : extra) services.push_back(one.get());
  const ControlServer server(services, std::move(control));
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
