#include "hvd/machine/machine.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "hvd/machine/registers_view.h"
#include "service/role_name.h"

namespace hv::hvd {
namespace {

const char* StateInWords(hv::v1::MachineState state) {
  switch (state) {
    case hv::v1::MACHINE_STATE_CREATING: return "being created";
    case hv::v1::MACHINE_STATE_CREATED: return "created";
    case hv::v1::MACHINE_STATE_RUNNING: return "running";
    case hv::v1::MACHINE_STATE_PAUSED: return "paused";
    case hv::v1::MACHINE_STATE_STOPPING: return "stopping";
    case hv::v1::MACHINE_STATE_STOPPED: return "stopped";
    default: return "in an unknown state";
  }
}

}  // namespace

Machine::Machine(const World& world, hv::v1::MachineConfig config, ConsoleMemory console)
    : world_(world),
      config_(std::move(config)),
      hub_(std::move(console)),
      records_(world.keeper, config_.name()) {
  *shown_.mutable_config() = config_;
  shown_.set_created_unix_ns(UnixNowNs());
  shown_.set_state(hv::v1::MACHINE_STATE_CREATING);
  shown_.set_state_since_unix_ns(shown_.created_unix_ns());
}

Machine::~Machine() {
  queue_.Run([this] { TakeInstance().reset(); });
}

// Ends the present life's claim to be heard; its processes end with the last reference.
std::shared_ptr<MachineInstance> Machine::TakeInstance() {
  std::lock_guard lock(mutex_);
  ++life_;
  return std::exchange(instance_, nullptr);
}

absl::Status Machine::Build() {
  return queue_.Run([this] {
    absl::Status status = MakeInstance();
    if (status.ok()) SetState(hv::v1::MACHINE_STATE_CREATED);
    return status;
  });
}

MachineInstance::Callbacks Machine::CallbacksOf(uint64_t life) {
  return {.on_service_event = [this](const ServiceEvent& event) { OnServiceEvent(event); },
          .on_end =
              [this, life](InstanceEnd end) {
                queue_.Post([this, life, end = std::move(end)] { HandleEnd(life, end); });
              }};
}

absl::Status Machine::MakeInstance() {
  const uint64_t life = ++life_;
  records_.BeginLife(life);
  auto made = MachineInstance::Make(world_, config_, hub_, records_, CallbacksOf(life));
  if (!made.ok()) return made.status();
  if (const std::string& notice = (*made)->paging_notice(); !notice.empty()) {
    AnnounceHostPaging(notice);
  }
  std::lock_guard lock(mutex_);
  instance_ = *std::move(made);
  shown_.set_engine(instance_->engine());
  return absl::OkStatus();
}

absl::Status Machine::Start() {
  return queue_.Run([this] { return StartNow(); });
}

absl::Status Machine::StartNow() {
  switch (state()) {
    case hv::v1::MACHINE_STATE_CREATED: break;
    case hv::v1::MACHINE_STATE_STOPPED: {
      if (auto status = MakeInstance(); !status.ok()) return status;
      std::lock_guard lock(mutex_);
      shown_.clear_exit();
      shown_.set_restarts(0);
      break;
    }
    default: return WrongState("started", "only a created or stopped one can be");
  }
  Intend(hv::v1::MACHINE_STATE_RUNNING);
  if (auto status = instance()->Start(); !status.ok()) {
    Intend(state());
    return status;
  }
  SetState(hv::v1::MACHINE_STATE_RUNNING);
  return absl::OkStatus();
}

absl::Status Machine::Pause() {
  return queue_.Run([this] { return PauseNow(); });
}

absl::Status Machine::PauseNow() {
  if (state() == hv::v1::MACHINE_STATE_PAUSED) return absl::OkStatus();
  if (state() != hv::v1::MACHINE_STATE_RUNNING) {
    return WrongState("paused", "only a running one can be");
  }
  Intend(hv::v1::MACHINE_STATE_PAUSED);
  if (auto status = PauseOrGoOn(); !status.ok()) {
    Intend(state());
    return status;
  }
  SetState(hv::v1::MACHINE_STATE_PAUSED);
  return absl::OkStatus();
}

// A pause that did not come about in time would come about later, with nobody to resume it.
absl::Status Machine::PauseOrGoOn() {
  absl::Status status = instance()->Pause();
  if (!status.ok()) instance()->Resume().IgnoreError();
  return status;
}

absl::Status Machine::Resume() {
  return queue_.Run([this] { return ResumeNow(); });
}

absl::Status Machine::ResumeNow() {
  if (state() == hv::v1::MACHINE_STATE_RUNNING) return absl::OkStatus();
  if (state() != hv::v1::MACHINE_STATE_PAUSED) {
    return WrongState("resumed", "only a paused one can be");
  }
  Intend(hv::v1::MACHINE_STATE_RUNNING);
  if (auto status = instance()->Resume(); !status.ok()) {
    Intend(state());
    return status;
  }
  SetState(hv::v1::MACHINE_STATE_RUNNING);
  return absl::OkStatus();
}

absl::Status Machine::Stop(std::chrono::seconds grace) {
  const bool graceful = queue_.Run([this, grace] {
    if (state() != hv::v1::MACHINE_STATE_RUNNING || grace.count() == 0) return false;
    instance()->PressPowerButton();
    SetState(hv::v1::MACHINE_STATE_STOPPING);
    return true;
  });
  if (graceful) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, grace,
                      [this] { return shown_.state() != hv::v1::MACHINE_STATE_STOPPING; });
  }
  queue_.Run([this] {
    if (state() != hv::v1::MACHINE_STATE_STOPPED) EndNow({.cause = hv::v1::EXIT_CAUSE_STOPPED});
  });
  return absl::OkStatus();
}

void Machine::HandleEnd(uint64_t life, const InstanceEnd& end) {
  if (life != life_ || instance() == nullptr) return;  // of a life that is over anyway
  if (!RestartAfterReset(end)) EndNow(end);
}

// A guest that resets gets a new life, unless it is on its way out.
bool Machine::RestartAfterReset(const InstanceEnd& end) {
  if (end.cause != hv::v1::EXIT_CAUSE_RESET || config_.on_reset() != hv::v1::ON_RESET_RESTART ||
      state() == hv::v1::MACHINE_STATE_STOPPING) {
    return false;
  }
  StartAnew();
  return true;
}

void Machine::StartAnew() {
  Intend(hv::v1::MACHINE_STATE_RUNNING, nullptr, /*restarting=*/true);
  TakeInstance().reset();
  absl::Status status = MakeInstance();
  if (status.ok()) {
    Intend(hv::v1::MACHINE_STATE_RUNNING);
    status = instance()->Start();
  }
  if (!status.ok()) {
    EndNow({.cause = hv::v1::EXIT_CAUSE_INTERNAL_ERROR,
            .message = absl::StrCat("after the guest's reset: ", status.message())});
    return;
  }
  hv::v1::Event event;
  event.set_machine(config_.name());
  event.set_kind(hv::v1::EVENT_KIND_RESTARTED);
  {
    std::lock_guard lock(mutex_);
    shown_.set_restarts(shown_.restarts() + 1);
  }
  world_.events.Publish(std::move(event));
  // A reset while paused cannot be: a paused guest does nothing.
  SetState(hv::v1::MACHINE_STATE_RUNNING);
}

void Machine::EndNow(const InstanceEnd& end) {
  const hv::v1::MachineExit exit = ShowEnd(end);
  Intend(hv::v1::MACHINE_STATE_STOPPED, &exit);
  TakeInstance().reset();
  SetState(hv::v1::MACHINE_STATE_STOPPED, &exit);
}

absl::StatusOr<std::vector<hv::v1::ServiceStatus>> Machine::Services() {
  return queue_.Run([this]() -> absl::StatusOr<std::vector<hv::v1::ServiceStatus>> {
    if (instance() == nullptr) return WrongState("looked into", "it has no processes");
    return instance()->Services();
  });
}

absl::Status Machine::ReplaceService(const std::string& service) {
  return queue_.Run([&] {
    if (instance() == nullptr) return WrongState("given another service", "it has no processes");
    return instance()->ReplaceService(service);
  });
}

absl::StatusOr<hv::v1::KernelGetStatsResponse> Machine::Stats() {
  return queue_.Run([this]() -> absl::StatusOr<hv::v1::KernelGetStatsResponse> {
    if (instance() == nullptr) return WrongState("looked into", "it has no processes");
    return instance()->Stats();
  });
}

absl::StatusOr<std::vector<hv::v1::Registers>> Machine::Registers() {
  return queue_.Run([this] { return RegistersNow(); });
}

absl::StatusOr<std::vector<hv::v1::Registers>> Machine::RegistersNow() {
  std::vector<hv::v1::Registers> all;
  const absl::Status status = WhilePausedNow([&](MachineInstance& instance) {
    for (uint32_t vcpu = 0; vcpu < config_.cpus(); ++vcpu) {
      const auto state = instance.Registers(vcpu);
      if (!state.ok()) return state.status();
      auto shown = ShowRegisters(vcpu, *state);
      if (!shown.ok()) return shown.status();
      all.push_back(*std::move(shown));
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return all;
}

absl::Status Machine::WhilePausedNow(const std::function<absl::Status(MachineInstance&)>& work) {
  if (instance() == nullptr) return WrongState("looked into", "it has no processes");
  const bool runs =
      state() == hv::v1::MACHINE_STATE_RUNNING || state() == hv::v1::MACHINE_STATE_STOPPING;
  if (runs) {
    if (auto status = PauseOrGoOn(); !status.ok()) return status;
  }
  absl::Status status = work(*instance());
  if (runs) status.Update(instance()->Resume());
  return status;
}

absl::Status Machine::WithMemory(const std::function<absl::Status(MachineMemory&)>& work) {
  return queue_.Run([&] {
    if (instance() == nullptr) return WrongState("looked into", "it has no processes");
    MachineMemory memory = instance()->Memory();
    return work(memory);
  });
}

absl::Status Machine::WithFaults(const std::function<absl::Status(MachineFaults&)>& work) {
  return queue_.Run([&] {
    if (instance() == nullptr) return WrongState("made to fail", "it has no processes");
    MachineFaults faults = instance()->Faults();
    return work(faults);
  });
}

absl::StatusOr<hv::v1::Translation> Machine::Translate(uint32_t vcpu, uint64_t linear) {
  absl::StatusOr<hv::v1::Translation> found;
  const absl::Status status = queue_.Run([&] {
    return WhilePausedNow([&](MachineInstance& instance) {
      const auto registers = instance.Registers(vcpu);
      if (!registers.ok()) return registers.status();
      found = instance.Memory().Translate(*registers, linear);
      return found.status();
    });
  });
  if (!status.ok()) return status;
  return found;
}

absl::Status Machine::WrongState(const char* what, const char* instead) const {
  return absl::FailedPreconditionError(absl::StrCat("machine ", config_.name(), " is ",
                                                    StateInWords(state()), " and cannot be ", what,
                                                    ": ", instead));
}

void Machine::SetState(hv::v1::MachineState state, const hv::v1::MachineExit* exit) {
  {
    std::lock_guard lock(mutex_);
    shown_.set_state(state);
    shown_.set_state_since_unix_ns(UnixNowNs());
    if (exit != nullptr) *shown_.mutable_exit() = *exit;
  }
  Intend(state, exit);
  changed_.notify_all();
  world_.events.Publish(CurrentEvent());
}

void Machine::Intend(hv::v1::MachineState state, const hv::v1::MachineExit* exit, bool restarting) {
  hv::v1::Machine machine;
  {
    std::lock_guard lock(mutex_);
    machine = shown_;
  }
  machine.set_state(state);
  if (exit != nullptr) *machine.mutable_exit() = *exit;
  records_.PutMachine(machine, restarting, hub_.memory_fd());
}

hv::v1::MachineState Machine::state() const {
  std::lock_guard lock(mutex_);
  return shown_.state();
}

std::shared_ptr<MachineInstance> Machine::instance() const {
  std::lock_guard lock(mutex_);
  return instance_;
}

hv::v1::Machine Machine::Show() const {
  std::lock_guard lock(mutex_);
  hv::v1::Machine shown = shown_;
  shown.set_console_bytes(hub_.OutputBytes());
  if (instance_) {
    for (std::string& text : instance_->Degraded()) shown.add_degraded(std::move(text));
  }
  return shown;
}

hv::v1::Event Machine::CurrentEvent() const {
  std::lock_guard lock(mutex_);
  hv::v1::Event event;
  event.set_machine(config_.name());
  event.set_kind(hv::v1::EVENT_KIND_STATE);
  event.set_unix_ns(shown_.state_since_unix_ns());
  event.set_state(shown_.state());
  if (shown_.has_exit()) *event.mutable_exit() = shown_.exit();
  return event;
}

void Machine::OnServiceEvent(const ServiceEvent& event) {
  hv::v1::Event shown;
  shown.set_machine(config_.name());
  shown.set_kind(event.kind);
  shown.set_service(service::EndpointName(event.endpoint));
  shown.set_message(event.message);
  world_.events.Publish(std::move(shown));
}

void Machine::AnnounceHostPaging(const std::string& notice) {
  hv::v1::Event event;
  event.set_machine(config_.name());
  event.set_kind(hv::v1::EVENT_KIND_PAGED_BY_HOST);
  event.set_message(notice);
  world_.events.Publish(std::move(event));
}

void Machine::AnnounceDeletion() {
  hv::v1::Event event;
  event.set_machine(config_.name());
  event.set_kind(hv::v1::EVENT_KIND_DELETED);
  world_.events.Publish(std::move(event));
  hub_.Close();
}

}  // namespace hv::hvd
