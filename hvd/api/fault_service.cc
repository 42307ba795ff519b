#include "hvd/api/fault_service.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <thread>

#include "hvd/faults/chaos_plan.h"
#include "hvd/faults/chaos_run.h"
#include "service/grpc_status.h"

namespace hv::hvd {
namespace {

using SteadyClock = std::chrono::steady_clock;

// How long a client that has gone may go unnoticed between two injections.
constexpr std::chrono::milliseconds kLookForClient{100};

// Time that passes for real, and a client that may go.
class RealTime {
 public:
  explicit RealTime(grpc::ServerContext& context) : context_(context) {}
  bool WaitUntil(uint64_t at_us) const {
    const auto end = start_ + std::chrono::microseconds(at_us);
    while (!context_.IsCancelled()) {
      const auto now = SteadyClock::now();
      if (now >= end) return true;
      std::this_thread::sleep_until(std::min(end, now + kLookForClient));
    }
    return false;
  }

 private:
  grpc::ServerContext& context_;
  const SteadyClock::time_point start_ = SteadyClock::now();
};

absl::StatusOr<hv::v1::Fault> SetFaultOf(Machine& machine, const hv::v1::Fault& fault) {
  absl::StatusOr<hv::v1::Fault> set;
  const absl::Status status = machine.WithFaults([&](MachineFaults& faults) {
    set = faults.Set(fault);
    return set.status();
  });
  if (!status.ok()) return status;
  return set;
}

absl::StatusOr<std::vector<hv::v1::Fault>> FaultsOf(Machine& machine) {
  std::vector<hv::v1::Fault> all;
  const absl::Status status = machine.WithFaults([&](MachineFaults& faults) {
    all = faults.All();
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return all;
}

// Of every service; empty if the machine has ended.
std::map<std::string, uint32_t> EpochsOf(Machine& machine) {
  std::map<std::string, uint32_t> epochs;
  machine
      .WithFaults([&](MachineFaults& faults) {
        epochs = faults.Epochs();
        return absl::OkStatus();
      })
      .IgnoreError();
  return epochs;
}

ChaosRun::World WorldOf(Machine& machine, const RealTime& time,
                        grpc::ServerWriter<hv::v1::ChaosReport>& writer) {
  return {.wait_until = [&](uint64_t at_us) { return time.WaitUntil(at_us); },
          .set = [&](const hv::v1::Fault& fault) { return SetFaultOf(machine, fault); },
          .all = [&] { return FaultsOf(machine); },
          .clear =
              [&](uint32_t id) {
                return machine.WithFaults([id](MachineFaults& faults) { return faults.Clear(id); });
              },
          .report =
              [&](const hv::v1::Injection& injection) {
                hv::v1::ChaosReport report;
                *report.mutable_injection() = injection;
                return writer.Write(report);
              }};
}

}  // namespace

template <typename Work>
grpc::Status FaultService::WithFaults(const std::string& name, Work work) {
  const auto machine = registry_.Find(name);
  if (!machine.ok()) return service::ToGrpc(machine.status());
  return service::ToGrpc((*machine)->WithFaults(work));
}

grpc::Status FaultService::SetFault(grpc::ServerContext*, const hv::v1::SetFaultRequest* request,
                                    hv::v1::Fault* response) {
  return WithFaults(request->name(), [&](MachineFaults& faults) {
    auto fault = faults.Set(request->fault());
    if (!fault.ok()) return fault.status();
    *response = *std::move(fault);
    return absl::OkStatus();
  });
}

grpc::Status FaultService::ListFaults(grpc::ServerContext*,
                                      const hv::v1::ListFaultsRequest* request,
                                      hv::v1::ListFaultsResponse* response) {
  return WithFaults(request->name(), [&](MachineFaults& faults) {
    for (auto& fault : faults.All()) *response->add_faults() = std::move(fault);
    return absl::OkStatus();
  });
}

grpc::Status FaultService::ClearFaults(grpc::ServerContext*,
                                       const hv::v1::ClearFaultsRequest* request,
                                       hv::v1::ClearFaultsResponse*) {
  return WithFaults(request->name(), [&](MachineFaults& faults) {
    if (request->ids().empty()) faults.ClearAll();
    for (const uint32_t id : request->ids()) {
      if (auto status = faults.Clear(id); !status.ok()) return status;
    }
    return absl::OkStatus();
  });
}

grpc::Status FaultService::RunChaos(grpc::ServerContext* context,
                                    const hv::v1::ChaosRequest* request,
                                    grpc::ServerWriter<hv::v1::ChaosReport>* writer) {
  const auto found = registry_.Find(request->name());
  if (!found.ok()) return service::ToGrpc(found.status());
  Machine& machine = **found;
  absl::StatusOr<std::vector<hv::v1::Injection>> plan;
  const absl::Status planned = machine.WithFaults([&](MachineFaults& faults) {
    plan = PlanChaos(*request, faults.ServiceNames());
    return plan.status();
  });
  if (!planned.ok()) return service::ToGrpc(planned);
  std::map<std::string, uint32_t> epochs_before = EpochsOf(machine);

  const RealTime time(*context);
  ChaosRun run(WorldOf(machine, time, *writer));
  const uint64_t end_us =
      request->replay().empty() ? request->duration_ms() * 1000 : plan->back().at_us();
  const absl::Status ended = run.Run(*plan, end_us);
  if (absl::IsCancelled(ended)) return service::ToGrpc(ended);
  hv::v1::ChaosReport report;
  hv::v1::ChaosSummary& summary = *report.mutable_summary();
  summary.set_injections(run.injections());
  summary.set_fired(run.fired());
  if (!ended.ok()) summary.set_cut_short(std::string(ended.message()));
  // Of a machine that has ended nothing more is known; cut_short says why.
  for (const auto& [service, epoch] : EpochsOf(machine)) {
    // A guest that has reset itself meanwhile has new processes, which count from 1 again.
    const uint32_t before = epochs_before[service];
    (*summary.mutable_replaced())[service] = epoch >= before ? epoch - before : epoch - 1;
  }
  writer->Write(report);
  return grpc::Status::OK;
}

}  // namespace hv::hvd
