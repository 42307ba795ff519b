#include "hv_kernel/machine.h"

#include <sys/prctl.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "hv_kernel/halt_sleep.h"
#include "hv_kernel/kick_watch.h"
#include "hv_kernel/kvm/kvm_engine.h"
#include "hv_kernel/late_write_server.h"
#include "hv_kernel/reset_state.h"
#include "hv_kernel/ring_line.h"
#include "hv_kernel/soft/soft_engine.h"
#include "service/wiring.h"

namespace hv {

struct Machine::Vcpu {
  hv_vcpu_page* page = nullptr;
  hv_wake* wake = nullptr;
  Statistics statistics;
  LineMap lines;
  std::unique_ptr<LateWriteServer> late_writes;
  std::unique_ptr<HaltSleep> halt;
  std::unique_ptr<VcpuEngine> engine;
  std::unique_ptr<VcpuLoop> loop;
  std::thread thread;
  std::unique_ptr<KickWatch> kick_watch;  // where the engine needs one
};

namespace {

absl::StatusOr<std::unique_ptr<Engine>> MakeEngine(const hv::v1::KernelConfig& config,
                                                   const UniqueFd& kvm) {
  if (config.engine() == "soft") {
    soft::SoftOptions options;
    const uint64_t bytes = config.translation_cache_bytes();
    if (bytes != 0) options.code_bytes = bytes;
    return soft::CreateSoftEngine(options);
  }
  if (config.engine() == "kvm") return kvm::CreateKvmEngine(kvm);
  return absl::UnimplementedError(
      absl::StrCat("engine: \"", config.engine(), "\" is not one of this build's: soft, kvm"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Machine>> Machine::Create(const service::Attachment& attachment,
                                                         const UniqueFd& kvm) {
  std::unique_ptr<Machine> machine(new Machine());
  if (auto status = machine->Attach(attachment, kvm); !status.ok()) return status;
  return machine;
}

Machine::~Machine() { Stop(); }

absl::Status Machine::Attach(const service::Attachment& attachment, const UniqueFd& kvm) {
  const hv::v1::KernelConfig& config = attachment.manifest().kernel();
  if (config.cpus() == 0 || config.cpus() > HV_MAX_VCPUS) {
    return absl::InvalidArgumentError(
        absl::StrCat("kernel.cpus: ", config.cpus(), ", must be 1 to ", HV_MAX_VCPUS));
  }
  if (config.boot_state().size() != sizeof(hv_vcpu_state)) {
    return absl::InvalidArgumentError(
        absl::StrCat("kernel.boot_state: ", config.boot_state().size(), " bytes, must be ",
                     sizeof(hv_vcpu_state)));
  }
  std::memcpy(&boot_state_, config.boot_state().data(), sizeof(boot_state_));
  tsc_base_ = attachment.manifest().tsc_base();
  table_ = attachment.FindAs<hv_route_table>(HV_SEGMENT_ROUTE_TABLE);
  cpuid_ = attachment.FindAs<hv_cpuid_table>(HV_SEGMENT_CPUID_TABLE);
  ram_ = attachment.Find(HV_SEGMENT_GUEST_RAM);
  if (table_ == nullptr || cpuid_ == nullptr || ram_.empty()) {
    return absl::InvalidArgumentError(
        "manifest: hv_kernel needs the route table, the CPUID table and guest RAM");
  }
  const auto log = attachment.Find(HV_SEGMENT_DIRTY_LOG);
  const size_t log_bytes = sizeof(hv_dirty_log) + (ram_.size() / 4096 + 63) / 64 * 8;
  if (log.size() >= log_bytes) {
    dirty_log_ = reinterpret_cast<std::atomic<uint64_t>*>(log.data() + sizeof(hv_dirty_log));
  }
  auto engine = MakeEngine(config, kvm);
  if (!engine.ok()) return engine.status();
  engine_ = *std::move(engine);
  cpuid_copy_.resize(HV_MAX_CPUID_ENTRIES);
  control_ = std::make_unique<RunControl>(config.cpus(), [this] {
    for (const auto& vcpu : vcpus_) {
      // Pairs with the exchange in VcpuLoop::Attend.
      std::atomic_ref<uint32_t>(vcpu->page->attention).store(1, std::memory_order_release);
      ring::Waker(vcpu->wake).WakeAlways();
      vcpu->engine->Kick();
    }
  });
  for (uint32_t i = 0; i < config.cpus(); ++i) {
    if (auto status = MakeVcpu(attachment, i); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Machine::MakeVcpu(const service::Attachment& attachment, uint32_t index) {
  const uint32_t self = HV_ENDPOINT(HV_ROLE_KERNEL, index);
  auto vcpu = std::make_unique<Vcpu>();
  vcpu->page = attachment.FindAs<hv_vcpu_page>(HV_SEGMENT_VCPU_PAGE, self);
  if (vcpu->page == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("manifest: no vCPU page of vCPU ", index));
  }
  auto wake = service::FindWake(attachment, self);
  if (!wake.ok()) return wake.status();
  vcpu->wake = *wake;
  vcpu->halt = std::make_unique<HaltSleep>(ring::Sleeper(*wake));
  for (const auto& segment : attachment.segments()) {
    if (segment.kind != HV_SEGMENT_CHANNEL || segment.endpoint != self) continue;
    auto view = ring::OpenChannel(segment.mapping.bytes(), self, segment.peer);
    if (!view.ok()) return view.status();
    auto peer = service::FindWake(attachment, segment.peer);
    if (!peer.ok()) return peer.status();
    vcpu->lines.Add(segment.peer, std::make_unique<RingLine>(
                                      RingLine::Ends{.view = *view,
                                                     .peer_role = HV_ENDPOINT_ROLE(segment.peer),
                                                     .peer = ring::Waker(*peer),
                                                     .self = ring::Sleeper(*wake)},
                                      *control_, vcpu->statistics));
  }
  if (vcpu->lines.Find(HV_ENDPOINT(HV_ROLE_VCPU, 0)) == nullptr ||
      vcpu->lines.Find(HV_ENDPOINT(HV_ROLE_MMU, 0)) == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("manifest: vCPU ", index, " has no channel to vcpu_svc or mmu_svc"));
  }
  vcpu->late_writes = std::make_unique<LateWriteServer>(router_, vcpu->lines, vcpu->statistics);
  // Now, while the process may still make executable memory. The CPUID table is filled at Start.
  auto engine = engine_->CreateVcpu(
      {.index = index,
       .apic_id = index,
       .attention = reinterpret_cast<const std::atomic<uint32_t>*>(&vcpu->page->attention),
       .inside = reinterpret_cast<std::atomic<uint32_t>*>(&vcpu->page->inside),
       .cpuid = cpuid_copy_,
       .late_writes = vcpu->late_writes.get()});
  if (!engine.ok()) return engine.status();
  vcpu->engine = *std::move(engine);
  vcpus_.push_back(std::move(vcpu));
  return absl::OkStatus();
}

absl::Status Machine::LoadMap() {
  Router next;
  if (auto status = next.Load(*table_); !status.ok()) return status;
  if (auto status = engine_->SetMemory(next.memory(), ram_, dirty_log_); !status.ok()) {
    return status;
  }
  if (auto status = engine_->SetRoutes(next.routes()); !status.ok()) return status;
  router_ = std::move(next);
  return absl::OkStatus();
}

absl::Status Machine::Start() {
  if (started_) return absl::FailedPreconditionError("the machine has been started before");
  if (auto status = LoadMap(); !status.ok()) {
    return absl::FailedPreconditionError(std::string(status.message()));
  }
  // Copied once: the page is vcpu_svc's to write.
  const uint32_t count = std::min(ring::LoadAcquire(cpuid_->count), HV_MAX_CPUID_ENTRIES);
  if (count == 0) return absl::FailedPreconditionError("vcpu_svc has published no CPUID table yet");
  std::copy_n(cpuid_->entries, count, cpuid_copy_.begin());
  for (uint32_t i = 0; i < vcpus_.size(); ++i) {
    Vcpu& vcpu = *vcpus_[i];
    hv_vcpu_state state = i == 0 ? boot_state_ : ResetState();
    if (i != 0) ApplyInit(state, /*boot_cpu=*/false);
    state.tsc_offset = 0 - tsc_base_;
    if (auto status = vcpu.engine->SetState(state); !status.ok()) return status;
    vcpu.loop = std::make_unique<VcpuLoop>(
        VcpuLoop::Parts{.index = i,
                        .engine = *vcpu.engine,
                        .page = *vcpu.page,
                        .router = router_,
                        .lines = vcpu.lines,
                        .vcpu_service = *vcpu.lines.Find(HV_ENDPOINT(HV_ROLE_VCPU, 0)),
                        .control = *control_,
                        .halt_wait = *vcpu.halt,
                        .statistics = vcpu.statistics});
    vcpu.loop->injector().SetActivity(static_cast<hv_activity>(state.activity));
  }
  started_ = true;
  for (uint32_t i = 0; i < vcpus_.size(); ++i) {
    if (engine_->needs_kicks()) {
      vcpus_[i]->kick_watch = std::make_unique<KickWatch>(*vcpus_[i]->page, *vcpus_[i]->engine);
    }
    vcpus_[i]->thread = std::thread([this, i] {
      prctl(PR_SET_NAME, absl::StrCat("vcpu ", i).c_str());
      vcpus_[i]->loop->Run();
    });
  }
  control_->Resume();
  return absl::OkStatus();
}

absl::Status Machine::Pause() {
  if (!started_ || control_->stopping()) {
    return absl::FailedPreconditionError("the machine is not running");
  }
  control_->Pause();
  return absl::OkStatus();
}

absl::Status Machine::Resume() {
  if (!started_ || control_->stopping()) {
    return absl::FailedPreconditionError("the machine is not running");
  }
  control_->Resume();
  return absl::OkStatus();
}

void Machine::RequestStop() { control_->Stop({.cause = StopCause::kRequested}); }

absl::Status Machine::ReloadMap() {
  if (!started_) return absl::OkStatus();  // Start loads it
  if (control_->stopping()) return absl::FailedPreconditionError("the machine is not running");
  const bool was_paused = control_->paused();
  control_->Pause();
  // A stop ends the wait for vCPUs that may still be inside the guest.
  if (control_->stopping()) return absl::FailedPreconditionError("the machine is not running");
  absl::Status status = LoadMap();
  if (!was_paused) control_->Resume();
  if (status.ok()) return status;
  return absl::FailedPreconditionError(std::string(status.message()));
}

void Machine::Stop() {
  if (control_ == nullptr) return;
  RequestStop();
  for (const auto& vcpu : vcpus_) {
    if (vcpu->thread.joinable()) vcpu->thread.join();
  }
}

std::optional<StopReport> Machine::WaitUntilStopped(const std::function<bool()>& give_up) {
  return control_->WaitUntilStopped(give_up);
}

absl::StatusOr<hv_vcpu_state> Machine::Registers(uint32_t vcpu) const {
  if (vcpu >= vcpus_.size()) {
    return absl::NotFoundError(absl::StrCat("vcpu: ", vcpu, ", the machine has ", vcpus_.size()));
  }
  if (!started_) return vcpu == 0 ? boot_state_ : ResetState();
  if (!control_->paused() && !control_->stopped()) {
    return absl::FailedPreconditionError("the machine is running; pause it first");
  }
  hv_vcpu_state state;
  vcpus_[vcpu]->engine->GetState(state);
  return state;
}

std::vector<const Statistics*> Machine::statistics() const {
  std::vector<const Statistics*> all;
  for (const auto& vcpu : vcpus_) all.push_back(&vcpu->statistics);
  return all;
}

}  // namespace hv
