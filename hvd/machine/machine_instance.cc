#include "hvd/machine/machine_instance.h"

#include <unistd.h>

#include <thread>

#include "abi/endpoint.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "hvd/host/immunities.h"
#include "hvd/host/process_memory.h"
#include "hvd/machine/boot_files.h"
#include "hvd/machine/machine_config.h"
#include "hvd/machine/memory_map.h"
#include "hvd/plan/topology.h"
#include "hvd/streams/host_port.h"
#include "hvd/streams/ring_drain.h"
#include "hvd/supervision/paging_handover.h"
#include "service/role_name.h"

namespace hv::hvd {
namespace {

constexpr uint32_t kKernel = HV_ENDPOINT(HV_ROLE_KERNEL, 0);
constexpr uint32_t kMmu = HV_ENDPOINT(HV_ROLE_MMU, 0);
constexpr uint32_t kSerial = HV_ENDPOINT(HV_ROLE_SERIAL, 0);
constexpr uint32_t kFirstEpoch = 1;
// A process starts in tens of milliseconds; on a host with too much to do, later.
constexpr std::chrono::milliseconds kStartTimeout{20'000};
constexpr std::chrono::milliseconds kDescribeTimeout{500};
constexpr std::chrono::milliseconds kReplaceTimeout{10000};
// How long the last output of a guest that has ended may take through serial_svc.
constexpr std::chrono::milliseconds kDrainTimeout{1000};
constexpr std::chrono::milliseconds kDrainPoll{1};
constexpr size_t kLogTailBytes = 2000;

hv::v1::ExitCause CauseOf(hv::v1::KernelStopCause cause) {
  switch (cause) {
    case hv::v1::KERNEL_STOP_POWER_OFF: return hv::v1::EXIT_CAUSE_POWER_OFF;
    case hv::v1::KERNEL_STOP_RESET: return hv::v1::EXIT_CAUSE_RESET;
    case hv::v1::KERNEL_STOP_DEBUG_EXIT: return hv::v1::EXIT_CAUSE_DEBUG_EXIT;
    case hv::v1::KERNEL_STOP_TRIPLE_FAULT: return hv::v1::EXIT_CAUSE_TRIPLE_FAULT;
    case hv::v1::KERNEL_STOP_UNSUPPORTED: return hv::v1::EXIT_CAUSE_UNSUPPORTED;
    case hv::v1::KERNEL_STOP_REQUESTED: return hv::v1::EXIT_CAUSE_STOPPED;
    default: return hv::v1::EXIT_CAUSE_INTERNAL_ERROR;
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<MachineInstance>> MachineInstance::Make(
    const World& world, const hv::v1::MachineConfig& config, ConsoleHub& hub,
    MachineRecords& records, Callbacks callbacks) {
  auto folder = world.folder.MakeMachineFolder(config.name());
  if (!folder.ok()) return folder.status();
  auto segments = SegmentSet::Make(PlanTopology(config.cpus()), config.memory_bytes());
  if (!segments.ok()) return segments.status();
  std::unique_ptr<MachineInstance> instance(
      new MachineInstance(*std::move(folder), *std::move(segments), records));
  if (auto status = instance->Build(world, config, hub, callbacks); !status.ok()) return status;
  return instance;
}

absl::Status MachineInstance::Build(const World& world, const hv::v1::MachineConfig& config,
                                    ConsoleHub& hub, Callbacks& callbacks) {
  const auto files = OpenBootFiles(config);
  if (!files.ok()) return files.status();
  Plan(config);
  plan_.engine = config.engine() == "auto" ? DefaultEngine() : config.engine();
  plan_.clock = StartClock(world.tsc_hz);
  plan_.host_immunities = HostImmunities();
  plan_.memory_map = BuildMemoryMap(config);

  auto port = HostPort::Open(segments_);
  if (!port.ok()) return port.status();
  pump_ = std::make_unique<ConsolePump>(*std::move(port), hub);
  MakeSupervisor(world, callbacks);
  // While the processes start, the guest's kernel is loaded.
  if (auto status = StartServices(); !status.ok()) return WithLog(status);
  auto part = LaunchPart(world.launcher, kKernel, folder_.log_fd());
  if (!part.ok()) return part.status();
  kernel_part_ = *std::move(part);
  auto boot_state = world.loader.Load(config, *files, segments_, folder_.log_fd());
  if (!boot_state.ok()) return boot_state.status();
  plan_.boot_state = *std::move(boot_state);
  if (auto status = StartKernel(config.paging()); !status.ok()) return status;
  if (auto status = supervisor_->Start({kMmu}); !status.ok()) return WithLog(status);
  if (auto status = supervisor_->AwaitReady(kStartTimeout); !status.ok()) return WithLog(status);
  records_.PutLife(plan_, segments_);
  WatchExit(callbacks);
  return absl::OkStatus();
}

// mmu_svc has its manifest once hv_kernel has made what is in it.
absl::Status MachineInstance::StartServices() {
  for (const uint32_t service : PlanTopology(plan_.cpus).services) {
    if (auto status = service == kMmu ? supervisor_->Launch(kMmu) : supervisor_->Start({service});
        !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

// What the configuration alone says.
void MachineInstance::Plan(const hv::v1::MachineConfig& config) {
  plan_.name = config.name();
  plan_.cpus = config.cpus();
  plan_.memory_bytes = config.memory_bytes();
  plan_.translation_cache_bytes = config.translation_cache_bytes();
  plan_.debug_exit = config.debug_exit();
  plan_.standby = !config.no_standby();
  plan_.hang_timeout = std::chrono::milliseconds(config.hang_timeout_ms());
  plan_.try_demand_paging = config.paging() != kHostPaging;
}

void MachineInstance::MakeSupervisor(const World& world, Callbacks& callbacks) {
  supervisor_ = std::make_unique<Supervisor>(
      Supervisor::Parts{.loop = world.loop,
                        .launcher = world.launcher,
                        .segments = segments_,
                        .plan = plan_,
                        .records = records_,
                        .log = folder_.log_fd(),
                        .on_event = std::move(callbacks.on_service_event)});
  mmu_ = std::make_unique<MmuClient>([this] { return supervisor_->Client(kMmu); });
}

absl::Status MachineInstance::StartKernel(const std::string& paging) {
  auto control = AttachPart(kernel_part_, plan_, segments_, kKernel, kFirstEpoch, records_);
  if (!control.ok()) return WithLog(control.status());
  kernel_ = std::make_unique<KernelClient>(*std::move(control));
  if (const auto described = kernel_->Describe(kStartTimeout); !described.ok()) {
    return WithLog(
        absl::Status(described.status().code(),
                     absl::StrCat("hv_kernel did not start: ", described.status().message())));
  }
  if (!plan_.try_demand_paging) return absl::OkStatus();
  auto received = ReceivePaging(kernel_part_.control.get(), plan_.memory_bytes);
  if (!received.ok()) return WithLog(received.status());
  plan_.paging = *std::move(received);
  if (plan_.paging.on_demand() || paging != kDemandPaging) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("paging 'demand': ", plan_.paging.notice,
                                                    "; hvctl doctor says more, and paging 'host' "
                                                    "does without"));
}

void MachineInstance::WatchExit(Callbacks& callbacks) {
  kernel_->WatchExit(
      [this, on_end = std::move(callbacks.on_end)](auto exit) { on_end(EndOf(std::move(exit))); });
}

absl::Status MachineInstance::WithLog(const absl::Status& status) const {
  const std::string log(absl::StripAsciiWhitespace(folder_.LogTail(kLogTailBytes)));
  if (log.empty()) return status;
  return absl::Status(status.code(),
                      absl::StrCat(status.message(), "; its processes said:\n", log));
}

InstanceEnd MachineInstance::EndOf(absl::StatusOr<hv::v1::KernelExit> exit) {
  if (exit.ok()) {
    InstanceEnd end{.cause = CauseOf(exit->cause()), .value = exit->value()};
    end.message = exit->detail();
    end.report = *std::move(exit);
    return end;
  }
  // The control connection ends with the process; what is still alive behind a broken one is not to
  // be relied on.
  kernel_part_.process->Kill();
  const ProcessEnd end = kernel_part_.process->Reap();
  return {
      .cause = hv::v1::EXIT_CAUSE_KERNEL_DIED,
      .message = std::string(
          WithLog(absl::UnavailableError(absl::StrCat("hv_kernel ", end.InWords()))).message())};
}

// What the guest wrote before it ended may still be on its way through serial_svc. Nobody sends
// word when it has passed: hvd looks at what serial_svc has acknowledged until that is everything.
void MachineInstance::AwaitLastOutput() {
  const Topology topology = PlanTopology(plan_.cpus);
  const auto deadline = EventLoop::Clock::now() + kDrainTimeout;
  while (!HasTakenAll(segments_, topology.vcpus, kSerial) && EventLoop::Clock::now() < deadline) {
    std::this_thread::sleep_for(kDrainPoll);
  }
}

MachineInstance::~MachineInstance() {
  const bool ran = kernel_ != nullptr;
  kernel_.reset();
  kernel_part_ = {};
  if (ran) AwaitLastOutput();
  supervisor_.reset();
  pump_.reset();
  records_.EndLife();
}

std::vector<hv::v1::ServiceStatus> MachineInstance::Services() {
  hv::v1::ServiceStatus kernel;
  kernel.set_name(service::RoleName(HV_ROLE_KERNEL));
  kernel.set_endpoint(kKernel);
  kernel.set_epoch(kFirstEpoch);
  kernel.set_state("running");
  kernel.set_pid(kernel_part_.process->pid());
  const ProcessMemory memory = ReadProcessMemory(kernel.pid());
  kernel.set_resident_bytes(memory.resident_bytes);
  kernel.set_private_bytes(memory.private_bytes);
  if (const auto described = kernel_->Describe(kDescribeTimeout); described.ok()) {
    *kernel.mutable_maps() = described->maps();
    *kernel.mutable_sandbox() = described->sandbox();
    *kernel.mutable_sandbox_missing() = described->sandbox_missing();
  }
  std::vector<hv::v1::ServiceStatus> all{std::move(kernel)};
  for (auto& status : supervisor_->Status()) all.push_back(std::move(status));
  all.push_back(HostStatus());
  return all;
}

absl::Status MachineInstance::ReplaceService(const std::string& name) {
  const auto endpoint = ServiceNamed(PlanTopology(plan_.cpus).services, name);
  if (!endpoint.ok()) return endpoint.status();
  return supervisor_->Renew(*endpoint, kReplaceTimeout);
}

// hvd itself, as far as it is a part of the machine.
hv::v1::ServiceStatus MachineInstance::HostStatus() const {
  hv::v1::ServiceStatus host;
  host.set_name(service::RoleName(HV_ROLE_HOST));
  host.set_endpoint(HV_ENDPOINT(HV_ROLE_HOST, 0));
  host.set_pid(getpid());
  host.set_epoch(kFirstEpoch);
  host.set_state("running");
  const ProcessMemory memory = ReadProcessMemory(host.pid());
  host.set_resident_bytes(memory.resident_bytes);
  host.set_private_bytes(memory.private_bytes);
  for (int role : {HV_ROLE_SERIAL, HV_ROLE_POWER}) {
    host.add_maps(absl::StrCat("channel with ", service::RoleName(role)));
  }
  host.add_maps("first pages of state segments");
  for (int why = 0; why < HV_REFUSAL_COUNT; ++why) {
    const uint64_t refused = pump_->refused(static_cast<hv_refusal>(why));
    if (refused == 0) continue;
    host.set_refused(host.refused() + refused);
    auto& counter = *host.add_refused_by();
    counter.set_name(service::RefusalName(why));
    counter.set_value(refused);
  }
  return host;
}

}  // namespace hv::hvd
