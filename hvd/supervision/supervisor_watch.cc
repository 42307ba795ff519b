// What the supervisor looks at while services live: hangs, recoveries, quarantined messages.
#include <utility>

#include "abi/endpoint.h"
#include "abi/state.h"
#include "abi/wake.h"
#include "absl/strings/str_cat.h"
#include "hvd/supervision/supervisor.h"
#include "ring/shared_store.h"
#include "service/kind_name.h"
#include "service/role_name.h"

namespace hv::hvd {
namespace {

// Each round costs a guest that does nothing a thousandth of a core.
constexpr std::chrono::seconds kControlPeriod{4};
constexpr std::chrono::seconds kControlAgain{1};
constexpr std::chrono::seconds kControlTimeout{2};
constexpr std::chrono::seconds kStartGrace{5};
constexpr char kStopped = 'T';  // by a signal; state in /proc/PID/stat

}  // namespace

void Supervisor::WatchControl() {
  control_watch_ = std::make_unique<ControlWatch>(ControlWatch::Parts{
      .subjects = [this] { return WhomToAsk(); },
      .on_hang = [this](uint32_t endpoint, uint32_t epoch) { OnControlHang(endpoint, epoch); },
      .period = kControlPeriod,
      .again = kControlAgain,
      .timeout = kControlTimeout});
}

// Attached, but not in its loop yet: on a host with too much to do that takes its time.
bool Supervisor::IsStarting(const Slot& slot, uint64_t heartbeat) const {
  return heartbeat == slot.heartbeat_at_attach &&
         EventLoop::Clock::now() - slot.attached_at < kStartGrace;
}

void Supervisor::LookAround() {
  std::vector<ServiceEvent> events;
  {
    std::lock_guard lock(mutex_);
    for (const auto& slot : slots_) {
      LookForHang(*slot);
      LookForRecovery(*slot);
      LookForQuarantine(*slot, events);
    }
  }
  for (const ServiceEvent& event : events) parts_.on_event(event);
}

// A process that pages guest RAM is watched for that too.
void Supervisor::WatchPager(Slot& slot) {
  if (HV_ENDPOINT_ROLE(slot.endpoint) != HV_ROLE_MMU || !parts_.plan.paging.on_demand()) return;
  if (!slot.pager) {
    slot.pager = std::make_unique<PagerWatch>(parts_.plan.paging, parts_.segments.pager_page(),
                                              parts_.plan.hang_timeout);
  }
  slot.pager->OnAttached(EventLoop::Clock::now());
}

// What hangs is killed; the rest is as with any other death.
void Supervisor::LookForHang(Slot& slot) {
  if (slot.state != State::kRunning || !slot.killed_for.empty()) return;
  if (slot.pager && slot.pager->Hangs(*slot.part.process, EventLoop::Clock::now())) {
    return EndDeliberately(slot, absl::StrCat("hung with page faults of the guest waiting for ",
                                              parts_.plan.hang_timeout.count(), " ms, "));
  }
  const hv_state_header& header = *parts_.segments.state_header(slot.endpoint);
  const ServiceProgress progress{
      .heartbeat = ring::LoadRelaxed(header.heartbeat),
      .waiting = ring::LoadRelaxed(header.waiting) != 0,
      .wake_word = ring::LoadRelaxed(parts_.segments.wake(slot.endpoint)->word)};
  if (!slot.hang.Suspicious(progress, EventLoop::Clock::now())) return;
  const ProcessActivity activity = slot.part.process->activity();
  if (IsStarting(slot, progress.heartbeat) && activity.state != kStopped) return;
  if (!slot.hang.Hangs(activity)) return;
  // Asking the host took its time: the service may have turned and gone to sleep meanwhile.
  if (ring::LoadRelaxed(header.heartbeat) != progress.heartbeat) return;
  EndDeliberately(
      slot, absl::StrCat("hung with work to do for ", parts_.plan.hang_timeout.count(), " ms, "));
}

void Supervisor::EndDeliberately(Slot& slot, std::string why) {
  slot.killed_for = std::move(why);
  LookForRecovery(slot);
  slot.failover = {.detected_ns = clock_.NowNs()};
  slot.part.process->Kill();
}

std::vector<ControlWatch::Subject> Supervisor::WhomToAsk() const {
  std::lock_guard lock(mutex_);
  std::vector<ControlWatch::Subject> subjects;
  for (const auto& slot : slots_) {
    if (slot->state != State::kRunning || !slot->client) continue;
    subjects.push_back({slot->endpoint, slot->epoch, [client = slot->client](auto timeout) {
                          return client->AwaitAnswer(timeout);
                        }});
  }
  return subjects;
}

void Supervisor::OnControlHang(uint32_t endpoint, uint32_t epoch) {
  std::lock_guard lock(mutex_);
  for (const auto& slot : slots_) {
    const bool same = slot->endpoint == endpoint && slot->epoch == epoch &&
                      slot->state == State::kRunning && slot->killed_for.empty();
    if (same) EndDeliberately(*slot, "hung on its control endpoint, ");
  }
}

// Whether the last failover has come to its end, by what the successor says of itself.
void Supervisor::LookForRecovery(Slot& slot) {
  FailoverTimes& times = slot.failover;
  if (times.detected_ns == 0 || times.attached_ns == 0) return;
  const hv_state_header& header = *parts_.segments.state_header(slot.endpoint);
  if (times.recovered_ns == 0) {
    times.recovered_ns = ring::LoadRelaxed(header.recovered_at_ns);
    if (times.recovered_ns == 0) return;
    slot.failovers.AddRecovery(times);
  }
  times.first_message_ns = ring::LoadRelaxed(header.first_message_at_ns);
  if (times.first_message_ns == 0) return;
  slot.failovers.AddFirstMessage(times);
  times = {};
}

void Supervisor::LookForQuarantine(Slot& slot, std::vector<ServiceEvent>& events) {
  const hv_state_header& header = *parts_.segments.state_header(slot.endpoint);
  const uint64_t quarantined = ring::LoadRelaxed(header.quarantined);
  if (quarantined == slot.quarantined) return;
  slot.quarantined = quarantined;
  const uint64_t last = ring::LoadRelaxed(header.last_quarantined);
  events.push_back(
      {hv::v1::EVENT_KIND_QUARANTINED, slot.endpoint,
       absl::StrCat("a message ", service::KindName(static_cast<uint16_t>(last)), " from ",
                    service::EndpointName(static_cast<uint32_t>(last >> 32)), " killed it ",
                    HV_POISON_DEATHS, " times running and was answered as by absent hardware; ",
                    quarantined, " so far")});
}

}  // namespace hv::hvd
