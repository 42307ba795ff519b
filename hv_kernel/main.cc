// hv_kernel: enters and leaves guests.
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <span>

#include "hv_kernel/kernel_control.h"
#include "hv_kernel/kvm/kvm_engine.h"
#include "hv_kernel/machine.h"
#include "service/attachment.h"
#include "service/control_server.h"
#include "service/sandbox.h"

namespace {

absl::Status Serve() {
  auto attachment = hv::service::Attachment::Receive(hv::service::kManifestSocket);
  if (!attachment.ok()) return attachment.status();
  hv::UniqueFd control = attachment->TakeControl();
  const bool on_kvm = attachment->manifest().kernel().engine() == "kvm";
  hv::UniqueFd device;
  if (on_kvm) {
    auto opened = hv::kvm::OpenDevice();
    if (!opened.ok()) return opened.status();
    device = *std::move(opened);
  }
  hv::service::SandboxReport sandbox;
  hv::service::EnterNamespaces(
      std::array{hv::service::kManifestSocket, control.get(), device.get()}, sandbox);
  auto machine = hv::Machine::Create(*attachment, device);
  if (!machine.ok()) return machine.status();
  device.Reset();
  using Requests = std::span<const uint64_t>;
  hv::service::CloseSystemCalls(sandbox, {}, on_kvm ? hv::kvm::RequestsAfterStart() : Requests());
  hv::KernelControl service({.endpoint = attachment->manifest().endpoint(),
                             .epoch = attachment->manifest().epoch(),
                             .maps = attachment->DescribeMaps(),
                             .sandbox = sandbox.in_force,
                             .sandbox_missing = sandbox.missing},
                            **machine);
  hv::service::ControlServer server({&service});
  // hvd ends the process. A machine outlives hvd as long as another hvd may come.
  server.ServeAllFrom(control.get());
  _exit(0);
}

}  // namespace

int main() {
  prctl(PR_SET_NAME, "hv_kernel");
  const absl::Status status = Serve();
  std::fprintf(stderr, "hv_kernel: %s\n", status.ToString().c_str());
  return 1;
}
