#include "hvd/faults/chaos_run.h"

#include <algorithm>

#include "hvd/faults/chaos_plan.h"

namespace hv::hvd {

absl::Status ChaosRun::Run(const std::vector<hv::v1::Injection>& plan, uint64_t end_us) {
  absl::Status status = RunAll(plan, end_us);
  // Whatever ended it: what is still set does not outlive the campaign.
  for (const auto& [service, pending] : pending_) world_.clear(pending.id).IgnoreError();
  return status;
}

absl::Status ChaosRun::RunAll(const std::vector<hv::v1::Injection>& plan, uint64_t end_us) {
  for (const hv::v1::Injection& injection : plan) {
    if (!world_.wait_until(injection.at_us())) return absl::CancelledError("nobody listens");
    if (auto status = Settle(injection.service()); !status.ok()) return status;
    if (auto status = Inject(injection); !status.ok()) return status;
  }
  if (!world_.wait_until(end_us)) return absl::CancelledError("nobody listens");
  return SettleAll();
}

absl::Status ChaosRun::Inject(const hv::v1::Injection& injection) {
  const auto fault = world_.set(FaultOf(injection));
  if (absl::IsUnavailable(fault.status())) return Report(injection, /*fired=*/false);
  if (!fault.ok()) return fault.status();
  if (fault->id() == 0) return Report(injection, /*fired=*/true);
  pending_[injection.service()] = {fault->id(), injection};
  return absl::OkStatus();
}

absl::Status ChaosRun::Settle(const std::string& service) {
  const auto place = pending_.find(service);
  if (place == pending_.end()) return absl::OkStatus();
  const Pending pending = place->second;
  const auto all = world_.all();
  if (!all.ok()) return all.status();
  if (auto status = world_.clear(pending.id); !status.ok()) return status;
  pending_.erase(place);
  const bool fired = std::any_of(all->begin(), all->end(), [&](const hv::v1::Fault& fault) {
    return fault.id() == pending.id && fault.fired() > 0;
  });
  return Report(pending.injection, fired);
}

absl::Status ChaosRun::SettleAll() {
  while (!pending_.empty()) {
    if (auto status = Settle(std::string(pending_.begin()->first)); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status ChaosRun::Report(hv::v1::Injection injection, bool fired) {
  ++injections_;
  fired_ += fired ? 1 : 0;
  injection.set_fired(fired);
  return world_.report(injection) ? absl::OkStatus() : absl::CancelledError("nobody listens");
}

}  // namespace hv::hvd
