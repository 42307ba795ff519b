// How a life that another hvd has begun becomes this one's.
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "abi/endpoint.h"
#include "absl/strings/str_cat.h"
#include "hvd/host/socket_pair.h"
#include "hvd/machine/machine_instance.h"
#include "hvd/plan/topology.h"
#include "hvd/streams/host_port.h"

namespace hv::hvd {
namespace {

constexpr uint32_t kKernel = HV_ENDPOINT(HV_ROLE_KERNEL, 0);

// Ends what belongs to no life that goes on.
void EndParts(Launcher& launcher, std::vector<RemainingPart> parts) {
  for (RemainingPart& part : parts) launcher.Adopt(part.pid, std::move(part.death_fd));
}

std::vector<RemainingPart> TakeOtherLives(std::vector<RemainingPart>& parts, uint64_t life) {
  const auto others = std::partition(parts.begin(), parts.end(),
                                     [&](const RemainingPart& part) { return part.life == life; });
  std::vector<RemainingPart> taken(std::make_move_iterator(others),
                                   std::make_move_iterator(parts.end()));
  parts.erase(others, parts.end());
  return taken;
}

// The connection to an hv_kernel that has died: whoever calls over it is told so.
absl::StatusOr<UniqueFd> BrokenConnection() {
  auto sockets = MakeSocketPair(SOCK_STREAM);
  if (!sockets.ok()) return sockets.status();
  return std::move(sockets->ours);
}

}  // namespace

absl::StatusOr<std::unique_ptr<MachineInstance>> MachineInstance::Restore(
    const World& world, const hv::v1::MachineConfig& config, ConsoleHub& hub,
    MachineRecords& records, Remains remains, Callbacks callbacks) {
  const uint64_t life = remains.machine->life();
  EndParts(world.launcher, TakeOtherLives(remains.parts, life));
  const auto refuse = [&](const absl::Status& status) {
    EndParts(world.launcher, std::move(remains.parts));
    records.EndLife();
    return status;
  };
  if (!remains.life || remains.life->life() != life) {
    return refuse(absl::DataLossError("it was being made or ended when hvd was killed"));
  }
  auto segments = SegmentSet::Restore(PlanTopology(config.cpus()), config.memory_bytes(),
                                      std::move(remains.segments));
  if (!segments.ok()) return refuse(segments.status());
  auto folder = world.folder.KeepMachineFolder(config.name());
  if (!folder.ok()) return refuse(folder.status());
  std::unique_ptr<MachineInstance> instance(
      new MachineInstance(*std::move(folder), *std::move(segments), records));
  instance->Plan(config);
  MachinePlan& plan = instance->plan_;
  plan.engine = remains.life->engine();
  plan.boot_state = remains.life->boot_state();
  plan.clock = {.tsc_base = remains.life->tsc_base(),
                .tsc_hz = remains.life->tsc_hz(),
                .realtime_base_ns = remains.life->realtime_base_ns()};
  plan.host_immunities = remains.life->host_immunities();
  plan.memory_map = remains.life->memory_map();
  plan.paging = std::move(remains.paging);
  if (auto status = instance->RestoreParts(world, hub, std::move(remains.parts), callbacks);
      !status.ok()) {
    return status;
  }
  return instance;
}

absl::Status MachineInstance::RestoreParts(const World& world, ConsoleHub& hub,
                                           std::vector<RemainingPart> parts, Callbacks& callbacks) {
  // From here on every part has an owner that ends it.
  const auto kernel = std::find_if(parts.begin(), parts.end(), [](const RemainingPart& part) {
    return part.endpoint == kKernel;
  });
  const bool has_kernel = kernel != parts.end();
  if (has_kernel) {
    kernel_part_.process = world.launcher.Adopt(kernel->pid, std::move(kernel->death_fd));
    kernel_part_.control = std::move(kernel->control);
    parts.erase(kernel);
  }
  MakeSupervisor(world, callbacks);
  supervisor_->Restore(PlanTopology(plan_.cpus).services, std::move(parts));
  if (!has_kernel) return absl::DataLossError("its hv_kernel is on no record");
  auto port = HostPort::Reopen(segments_, hub.position());
  if (!port.ok()) return port.status();
  pump_ = std::make_unique<ConsolePump>(*std::move(port), hub);
  auto control = ConnectTo(kernel_part_);
  if (!control.ok()) control = BrokenConnection();
  if (!control.ok()) return control.status();
  kernel_ = std::make_unique<KernelClient>(*std::move(control));
  WatchExit(callbacks);
  return absl::OkStatus();
}

}  // namespace hv::hvd
