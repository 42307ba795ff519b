// Keeps the services of one machine alive: starts them, sees them die or hang, has successors
// attach to their segments under the next epoch.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "hvd/host/event_loop.h"
#include "hvd/host/process.h"
#include "hvd/plan/manifests.h"
#include "hvd/plan/segment_set.h"
#include "hvd/supervision/control_watch.h"
#include "hvd/supervision/failover_record.h"
#include "hvd/supervision/hang_detector.h"
#include "hvd/supervision/machine_records.h"
#include "hvd/supervision/pager_watch.h"
#include "hvd/supervision/part_process.h"
#include "hvd/supervision/respawn_policy.h"
#include "hvd/supervision/service_client.h"
#include "hvd/supervision/standby.h"
#include "proto/hv/v1/machine.pb.h"
#include "service/machine_clock.h"

namespace hv::hvd {

struct ServiceEvent {
  hv::v1::EventKind kind;  // SERVICE_DIED, SERVICE_REPLACED, DEGRADED or QUARANTINED
  uint32_t endpoint;
  std::string message;
};

// Thread-safe. Deaths are handled on the event loop's thread, independently of what the machine is
// doing, because what it is doing may be waiting for the dead service.
//
// Fencing: a process is dead and reaped before its successor is given the state segment, and the
// epoch in the segment is raised in between, so that a manifest of the past attaches to nothing.
class Supervisor {
 public:
  struct Parts {
    EventLoop& loop;
    Launcher& launcher;
    const SegmentSet& segments;
    const MachinePlan& plan;
    MachineRecords& records;
    int log;  // standard error of the services
    // Called from the loop's thread; must not call back into the supervisor.
    std::function<void(const ServiceEvent&)> on_event;
  };
  explicit Supervisor(Parts parts);
  // Ends every service; none is left when it returns.
  ~Supervisor();

  // Starts a service's process, which is to have its manifest with Start, later: something that is
  // in it is not there yet.
  absl::Status Launch(uint32_t service);
  // Starts services. On an error some may be running: destroy the supervisor.
  absl::Status Start(const std::vector<uint32_t>& services);
  // Goes on with the services of another hvd, instead of Start and AwaitReady: the dead, and those
  // of which `parts` has none, are replaced, the others watched. Starts the standbys.
  void Restore(const std::vector<uint32_t>& services, std::vector<RemainingPart> parts);
  // Waits until each service has answered on its control connection, then starts the standbys.
  // Unavailable, DeadlineExceeded: names the one that did not.
  absl::Status AwaitReady(std::chrono::milliseconds timeout);

  // Each service with what it says of itself; one that does not answer is shown without.
  std::vector<hv::v1::ServiceStatus> Status();
  // Sends the present process of a service a signal. Unavailable: there is none at present.
  absl::Status Signal(uint32_t endpoint, int signal);
  // Ends the present process of a service, if there is one, and returns once a successor works; one
  // that had been given up is tried anew. Unavailable: the successors keep dying. DeadlineExceeded:
  // none was there in time.
  absl::Status Renew(uint32_t endpoint, std::chrono::milliseconds timeout);
  // The connection to the present process of a service; null while there is none.
  std::shared_ptr<ServiceClient> Client(uint32_t endpoint) const;
  // In words, for each service that is given up.
  std::vector<std::string> Degraded() const;

 private:
  enum class State { kRunning, kWaiting, kDegraded };
  struct Slot {
    uint32_t endpoint;
    uint32_t epoch = 1;
    State state = State::kWaiting;
    LaunchedPart part;  // state kWaiting: was launched ahead, or none
    std::shared_ptr<ServiceClient> client;
    std::unique_ptr<Standby> standby;  // null: the machine has none
    HangDetector hang;
    std::unique_ptr<PagerWatch> pager;  // null: this service does not page guest RAM
    std::string killed_for;             // not empty: hvd killed it, and why
    RespawnPolicy policy;
    EventLoop::Id watch = EventLoop::kNone;  // for the death, or for the end of a delay
    uint64_t commit_at_attach = 0;
    uint64_t heartbeat_at_attach = 0;
    EventLoop::Clock::time_point attached_at;
    std::string last_end;
    FailoverTimes failover;  // the present one, until all of it is in `failovers`
    FailoverRecord failovers;
    uint64_t quarantined = 0;  // as last reported
    // For the rate: a sample a second.
    uint64_t sampled_received = 0;
    EventLoop::Clock::time_point sampled_at;
    double received_per_second = 0;
  };

  size_t IndexOf(uint32_t endpoint) const;
  Slot* FindSlot(uint32_t endpoint) const;  // null: no such service yet
  Slot& AddSlot(uint32_t endpoint);
  void WatchPager(Slot& slot);
  void BeginRenewal(size_t index);
  absl::Status Attach(Slot& slot);
  absl::StatusOr<UniqueFd> AttachProcess(Slot& slot);
  void Adopt(Slot& slot, RemainingPart part);
  void OnDeath(size_t index);
  void Replace(size_t index);
  void AttachSuccessor(Slot& slot, size_t index, std::vector<ServiceEvent>& events);
  void Retry(Slot& slot, size_t index, std::vector<ServiceEvent>& events, bool did_something);
  void SampleRates();
  void LookAround();
  void LookForHang(Slot& slot);
  void WatchControl();
  std::vector<ControlWatch::Subject> WhomToAsk() const;
  void EndDeliberately(Slot& slot, std::string why);
  void OnControlHang(uint32_t endpoint, uint32_t epoch);
  void LookForRecovery(Slot& slot);
  void LookForQuarantine(Slot& slot, std::vector<ServiceEvent>& events);
  bool IsStarting(const Slot& slot, uint64_t heartbeat) const;
  bool DidSomething(const Slot& slot) const;
  void FillCounters(const Slot& slot, hv::v1::ServiceStatus& status) const;

  const Parts parts_;
  service::MachineClock clock_;  // the event loop's thread
  mutable std::mutex mutex_;
  std::condition_variable changed_;  // a slot has a process, or is given up
  std::vector<std::unique_ptr<Slot>> slots_;
  std::unique_ptr<ControlWatch> control_watch_;  // once all are ready
  bool stopping_ = false;
  EventLoop::Id sampler_ = EventLoop::kNone;
  EventLoop::Id watch_ = EventLoop::kNone;
};

}  // namespace hv::hvd
