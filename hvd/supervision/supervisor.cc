#include "hvd/supervision/supervisor.h"

#include "abi/state.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "hvd/host/process_memory.h"
#include "ring/shared_store.h"
#include "service/role_name.h"

namespace hv::hvd {
namespace {

constexpr std::chrono::milliseconds kDescribeTimeout{500};
constexpr std::chrono::seconds kSamplePeriod{1};
// A hang is noticed this much later than it could be, at most.
constexpr int kLooksInHangTimeout = 5;

}  // namespace

Supervisor::Supervisor(Parts parts)
    : parts_(std::move(parts)), clock_(parts_.plan.clock.tsc_base, parts_.plan.clock.tsc_hz) {
  sampler_ = parts_.loop.Every(kSamplePeriod, [this] { SampleRates(); });
  watch_ =
      parts_.loop.Every(parts_.plan.hang_timeout / kLooksInHangTimeout, [this] { LookAround(); });
}

Supervisor::~Supervisor() {
  parts_.loop.Cancel(sampler_);
  parts_.loop.Cancel(watch_);
  std::vector<EventLoop::Id> watches;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const auto& slot : slots_) {
      watches.push_back(slot->watch);
      if (slot->part.process) slot->part.process->Kill();
    }
  }
  for (EventLoop::Id watch : watches) parts_.loop.Cancel(watch);
  control_watch_.reset();  // what it asks is dead by now, and says so
}

Supervisor::Slot& Supervisor::AddSlot(uint32_t endpoint) {
  slots_.push_back(std::make_unique<Slot>(
      Slot{.endpoint = endpoint, .hang = HangDetector(parts_.plan.hang_timeout)}));
  Slot& slot = *slots_.back();
  if (parts_.plan.standby) {
    slot.standby = std::make_unique<Standby>(parts_.loop, parts_.launcher, endpoint, parts_.log);
  }
  return slot;
}

absl::Status Supervisor::Launch(uint32_t service) {
  std::lock_guard lock(mutex_);
  auto part = LaunchPart(parts_.launcher, service, parts_.log);
  if (!part.ok()) return part.status();
  AddSlot(service).part = *std::move(part);
  return absl::OkStatus();
}

absl::Status Supervisor::Start(const std::vector<uint32_t>& services) {
  std::lock_guard lock(mutex_);
  for (uint32_t endpoint : services) {
    if (FindSlot(endpoint) == nullptr) AddSlot(endpoint);
    const size_t index = IndexOf(endpoint);
    Slot& slot = *slots_[index];
    if (auto status = Attach(slot); !status.ok()) return status;
    slot.watch =
        parts_.loop.WhenReadable(slot.part.process->death_fd(), [this, index] { OnDeath(index); });
  }
  return absl::OkStatus();
}

// Gives the slot a process, attached under the slot's epoch.
absl::Status Supervisor::Attach(Slot& slot) {
  hv_state_header* header = parts_.segments.state_header(slot.endpoint);
  CHECK(header != nullptr);
  ring::DirectStores stores;
  ring::StoreRelaxed(header->epoch, slot.epoch, stores);
  ring::StoreRelaxed(header->waiting, uint64_t{0}, stores);
  ring::StoreRelaxed(header->recovered_at_ns, uint64_t{0}, stores);
  ring::StoreRelaxed(header->first_message_at_ns, uint64_t{0}, stores);
  slot.failover.fenced_ns = clock_.NowNs();
  slot.commit_at_attach = ring::LoadAcquire(header->commit);  // pairs with StateSegment::Commit
  slot.heartbeat_at_attach = ring::LoadRelaxed(header->heartbeat);
  auto control = AttachProcess(slot);
  if (!control.ok()) return control.status();
  slot.client = std::make_shared<ServiceClient>(*std::move(control));
  slot.failover.attached_ns = clock_.NowNs();
  slot.hang = HangDetector(parts_.plan.hang_timeout);
  WatchPager(slot);
  slot.attached_at = EventLoop::Clock::now();
  slot.state = State::kRunning;
  changed_.notify_all();
  return absl::OkStatus();
}

// The process launched ahead, or the standby, or, where there is none or it has just died, a
// process started now.
absl::StatusOr<UniqueFd> Supervisor::AttachProcess(Slot& slot) {
  if (auto waiting = slot.standby ? slot.standby->Take() : std::nullopt; waiting) {
    slot.part = *std::move(waiting);
  }
  if (slot.part.process) {
    auto control = AttachPart(slot.part, parts_.plan, parts_.segments, slot.endpoint, slot.epoch,
                              parts_.records);
    if (control.ok()) return control;
  }
  auto part = LaunchPart(parts_.launcher, slot.endpoint, parts_.log);
  if (!part.ok()) return part.status();
  slot.part = *std::move(part);
  return AttachPart(slot.part, parts_.plan, parts_.segments, slot.endpoint, slot.epoch,
                    parts_.records);
}

absl::Status Supervisor::AwaitReady(std::chrono::milliseconds timeout) {
  const auto deadline = EventLoop::Clock::now() + timeout;
  std::vector<std::pair<uint32_t, std::shared_ptr<ServiceClient>>> clients;
  {
    std::lock_guard lock(mutex_);
    for (const auto& slot : slots_) clients.emplace_back(slot->endpoint, slot->client);
  }
  for (const auto& [endpoint, client] : clients) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - EventLoop::Clock::now());
    const absl::Status status =
        client ? client->AwaitLoop(left) : absl::UnavailableError("it keeps dying");
    if (status.ok()) continue;
    return absl::Status(status.code(), absl::StrCat(service::EndpointName(endpoint),
                                                    " did not start: ", status.message()));
  }
  std::lock_guard lock(mutex_);
  for (const auto& slot : slots_) {
    if (slot->standby) slot->standby->PrepareSoon();
  }
  WatchControl();
  return absl::OkStatus();
}

bool Supervisor::DidSomething(const Slot& slot) const {
  const hv_state_header& header = *parts_.segments.state_header(slot.endpoint);
  return ring::LoadAcquire(header.commit) != slot.commit_at_attach ||
         ring::LoadRelaxed(header.waiting) != 0;
}

void Supervisor::OnDeath(size_t index) {
  std::vector<ServiceEvent> events;
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    Slot& slot = *slots_[index];
    LookForRecovery(slot);  // of its own attachment, if it died before that was noticed
    if (slot.failover.detected_ns == 0 || slot.killed_for.empty()) {
      slot.failover = {.detected_ns = clock_.NowNs()};
    }
    slot.last_end = absl::StrCat(slot.killed_for, slot.part.process->Reap().InWords());
    slot.killed_for.clear();
    slot.part = {};
    slot.client.reset();
    slot.state = State::kWaiting;
    events.push_back({hv::v1::EVENT_KIND_SERVICE_DIED, slot.endpoint, slot.last_end});
    ++slot.epoch;
    Retry(slot, index, events, DidSomething(slot));
  }
  for (const ServiceEvent& event : events) parts_.on_event(event);
}

void Supervisor::Replace(size_t index) {
  std::vector<ServiceEvent> events;
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    AttachSuccessor(*slots_[index], index, events);
  }
  for (const ServiceEvent& event : events) parts_.on_event(event);
}

void Supervisor::AttachSuccessor(Slot& slot, size_t index, std::vector<ServiceEvent>& events) {
  if (const absl::Status status = Attach(slot); !status.ok()) {
    slot.last_end = std::string(status.message());
    slot.part = {};
    Retry(slot, index, events, /*did_something=*/false);
    return;
  }
  slot.watch =
      parts_.loop.WhenReadable(slot.part.process->death_fd(), [this, index] { OnDeath(index); });
  events.push_back({hv::v1::EVENT_KIND_SERVICE_REPLACED, slot.endpoint,
                    absl::StrCat("by pid ", slot.part.process->pid(), ", epoch ", slot.epoch)});
  if (slot.standby) slot.standby->PrepareSoon();
}

void Supervisor::Retry(Slot& slot, size_t index, std::vector<ServiceEvent>& events,
                       bool did_something) {
  const auto delay = slot.policy.OnDeath(did_something);
  if (!delay) {
    slot.state = State::kDegraded;
    changed_.notify_all();
    // Nobody answers for the service any more; its guest's memory, at least, the host can give.
    const absl::Status released = slot.pager ? slot.pager->Release() : absl::OkStatus();
    events.push_back({hv::v1::EVENT_KIND_DEGRADED, slot.endpoint,
                      absl::StrCat("died ", slot.policy.fruitless_deaths(),
                                   " times in a row without doing anything, last: ", slot.last_end,
                                   released.ok() ? "" : absl::StrCat("; ", released.message()))});
    return;
  }
  // At once is now, before anybody is told.
  if (delay->count() == 0) return AttachSuccessor(slot, index, events);
  slot.watch = parts_.loop.After(*delay, [this, index] { Replace(index); });
}

void Supervisor::SampleRates() {
  std::lock_guard lock(mutex_);
  const auto now = EventLoop::Clock::now();
  for (const auto& slot : slots_) {
    const uint64_t received =
        ring::LoadRelaxed(parts_.segments.state_header(slot->endpoint)->received);
    const std::chrono::duration<double> span = now - slot->sampled_at;
    slot->received_per_second =
        received < slot->sampled_received
            ? 0
            : static_cast<double>(received - slot->sampled_received) / span.count();
    slot->sampled_received = received;
    slot->sampled_at = now;
  }
}

void Supervisor::FillCounters(const Slot& slot, hv::v1::ServiceStatus& status) const {
  const hv_state_header& header = *parts_.segments.state_header(slot.endpoint);
  status.set_received(ring::LoadRelaxed(header.received));
  status.set_sent(ring::LoadRelaxed(header.sent));
  for (uint32_t refusal = 0; refusal < HV_REFUSAL_COUNT; ++refusal) {
    const uint64_t refused = ring::LoadRelaxed(header.refused[refusal]);
    status.set_refused(status.refused() + refused);
    if (refused == 0) continue;
    auto& counter = *status.add_refused_by();
    counter.set_name(service::RefusalName(refusal));
    counter.set_value(refused);
  }
  status.set_quarantined(ring::LoadRelaxed(header.quarantined));
  status.set_steps(ring::LoadAcquire(header.commit));  // pairs with StateSegment::Commit
  status.set_waiting(ring::LoadRelaxed(header.waiting) != 0);
  status.set_messages_per_second(slot.received_per_second);
}

std::vector<hv::v1::ServiceStatus> Supervisor::Status() {
  std::vector<hv::v1::ServiceStatus> all;
  std::vector<std::shared_ptr<ServiceClient>> clients;
  {
    std::lock_guard lock(mutex_);
    for (const auto& slot : slots_) {
      hv::v1::ServiceStatus& status = all.emplace_back();
      status.set_name(service::EndpointName(slot->endpoint));
      status.set_endpoint(slot->endpoint);
      status.set_epoch(slot->epoch);
      status.set_state(slot->state == State::kRunning    ? "running"
                       : slot->state == State::kDegraded ? "degraded"
                                                         : "waiting to be replaced");
      if (slot->part.process) status.set_pid(slot->part.process->pid());
      if (slot->standby) status.set_standby_pid(slot->standby->pid());
      FillCounters(*slot, status);
      slot->failovers.Show(*status.mutable_failovers());
      clients.push_back(slot->client);
    }
  }
  for (size_t i = 0; i < all.size(); ++i) {
    if (!clients[i]) continue;
    const ProcessMemory memory = ReadProcessMemory(all[i].pid());
    all[i].set_resident_bytes(memory.resident_bytes);
    all[i].set_private_bytes(memory.private_bytes);
    const auto described = clients[i]->Describe(kDescribeTimeout);
    if (!described.ok()) continue;
    *all[i].mutable_maps() = described->maps();
    *all[i].mutable_sandbox() = described->sandbox();
    *all[i].mutable_sandbox_missing() = described->sandbox_missing();
  }
  return all;
}

Supervisor::Slot* Supervisor::FindSlot(uint32_t endpoint) const {
  for (const auto& slot : slots_) {
    if (slot->endpoint == endpoint) return slot.get();
  }
  return nullptr;
}

size_t Supervisor::IndexOf(uint32_t endpoint) const {
  for (size_t index = 0; index < slots_.size(); ++index) {
    if (slots_[index]->endpoint == endpoint) return index;
  }
  CHECK(false);  // REQUIRES: a service of the machine
}

absl::Status Supervisor::Signal(uint32_t endpoint, int signal) {
  std::lock_guard lock(mutex_);
  const Slot& slot = *slots_[IndexOf(endpoint)];
  if (!slot.part.process) {
    return absl::UnavailableError(absl::StrCat(service::EndpointName(endpoint),
                                               " has no process at present: it is being replaced"));
  }
  slot.part.process->Signal(signal);
  return absl::OkStatus();
}

void Supervisor::BeginRenewal(size_t index) {
  Slot& slot = *slots_[index];
  slot.policy = {};
  if (slot.state == State::kRunning && slot.killed_for.empty()) {
    EndDeliberately(slot, "replaced on request, ");
  } else if (slot.state == State::kDegraded) {
    slot.state = State::kWaiting;
    slot.watch = parts_.loop.After({}, [this, index] { Replace(index); });
  }
}

absl::Status Supervisor::Renew(uint32_t endpoint, std::chrono::milliseconds timeout) {
  const auto deadline = EventLoop::Clock::now() + timeout;
  const size_t index = IndexOf(endpoint);
  const Slot& slot = *slots_[index];
  if (slot.standby) slot.standby->Take();  // and ends it: its program may be the old one
  std::unique_lock lock(mutex_);
  auto client = slot.client;  // that of the process which is to end
  BeginRenewal(index);
  const auto settled = [&] {
    return slot.state == State::kDegraded || (slot.client && slot.client != client);
  };
  while (changed_.wait_until(lock, deadline, settled)) {
    if (slot.state == State::kDegraded) {
      return absl::UnavailableError(
          absl::StrCat(service::EndpointName(endpoint), " keeps dying, last: ", slot.last_end));
    }
    client = slot.client;
    lock.unlock();
    absl::Status works = client->AwaitLoop(
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - EventLoop::Clock::now()));
    if (works.ok()) return works;
    lock.lock();
  }
  return absl::DeadlineExceededError(absl::StrCat(service::EndpointName(endpoint),
                                                  " had no successor that works after ",
                                                  timeout.count(), " ms, last: ", slot.last_end));
}

std::shared_ptr<ServiceClient> Supervisor::Client(uint32_t endpoint) const {
  std::lock_guard lock(mutex_);
  return slots_[IndexOf(endpoint)]->client;
}

std::vector<std::string> Supervisor::Degraded() const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> degraded;
  for (const auto& slot : slots_) {
    if (slot->state != State::kDegraded) continue;
    degraded.push_back(absl::StrCat(service::EndpointName(slot->endpoint), ": ", slot->last_end));
  }
  return degraded;
}

}  // namespace hv::hvd
