// hv_kernel: enters and leaves guests.
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <span>

#include "hv_kernel/kernel_control.h"
#include "hv_kernel/kvm/kvm_engine.h"
#include "hv_kernel/machine.h"
#include "hv_kernel/userfault.h"
#include "service/attachment.h"
#include "service/control_server.h"
#include "service/sandbox.h"

namespace {

// If hvd asks for it. A host that does not permit it is no error: hvd decides what that means.
absl::Status PageOnDemand(const hv::service::Attachment& attachment, bool on_kvm,
                          const hv::UniqueFd& control) {
  if (!attachment.manifest().kernel().demand_paging()) return absl::OkStatus();
  const auto ram = attachment.Find(HV_SEGMENT_GUEST_RAM);
  const auto userfault =
      hv::WatchMissingPages(ram, on_kvm ? hv::FaultsOf::kEveryMode : hv::FaultsOf::kUserMode);
  return hv::SendUserfault(control.get(), userfault, ram);
}

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
  if (auto status = PageOnDemand(*attachment, on_kvm, control); !status.ok()) return status;
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
