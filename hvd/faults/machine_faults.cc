#include "hvd/faults/machine_faults.h"

#include <set>

#include "abi/endpoint.h"
#include "abi/state.h"
#include "absl/strings/str_cat.h"
#include "hvd/faults/fault_plan.h"
#include "hvd/faults/fault_table.h"
#include "hvd/plan/topology.h"
#include "ring/shared_store.h"
#include "service/role_name.h"

namespace hv::hvd {

std::vector<std::string> MachineFaults::ServiceNames() const {
  std::vector<std::string> names;
  for (const uint32_t service : services_) names.push_back(service::EndpointName(service));
  return names;
}

std::map<std::string, uint32_t> MachineFaults::Epochs() const {
  std::map<std::string, uint32_t> epochs;
  for (const uint32_t service : services_) {
    epochs[service::EndpointName(service)] =
        ring::LoadRelaxed(segments_.state_header(service)->epoch);
  }
  return epochs;
}

absl::StatusOr<hv::v1::Fault> MachineFaults::Set(const hv::v1::Fault& fault) {
  hv::v1::Fault shown = fault;
  shown.set_passes(0);
  shown.set_fired(0);
  if (fault.point() == hv::v1::FAULT_POINT_NOW) {
    if (auto status = Hit(fault); !status.ok()) return status;
    shown.set_id(0);
    shown.set_fired(1);
    return shown;
  }
  const auto endpoint = ServiceNamed(services_, fault.service());
  if (!endpoint.ok()) return endpoint.status();
  auto plan = PlanOf(fault);
  if (!plan.ok()) return plan.status();
  plan->id = NextId();
  if (auto status = FaultTable(segments_.fault_table(*endpoint)).Set(*plan); !status.ok()) {
    return status;
  }
  shown.set_id(plan->id);
  return shown;
}

// Of none that is set: faults of an hvd before this one have numbers too, and services can write
// what they like there.
uint32_t MachineFaults::NextId() {
  std::set<uint32_t> used{0};
  for (const hv::v1::Fault& other : All()) used.insert(other.id());
  while (used.contains(next_id_)) ++next_id_;
  return next_id_++;
}

absl::Status MachineFaults::Hit(const hv::v1::Fault& fault) {
  const auto signal = SignalOf(fault.action());
  if (!signal.ok()) return signal.status();
  if (fault.service() == service::RoleName(HV_ROLE_KERNEL)) {
    kernel_.Signal(*signal);
    return absl::OkStatus();
  }
  const auto endpoint = ServiceNamed(services_, fault.service());
  if (!endpoint.ok()) return endpoint.status();
  return supervisor_.Signal(*endpoint, *signal);
}

std::vector<hv::v1::Fault> MachineFaults::All() const {
  std::vector<hv::v1::Fault> all;
  for (const uint32_t service : services_) {
    for (const hv_fault& plan : FaultTable(segments_.fault_table(service)).All()) {
      all.push_back(ShowPlan(plan));
      all.back().set_service(service::EndpointName(service));
    }
  }
  return all;
}

absl::Status MachineFaults::Clear(uint32_t id) {
  for (const uint32_t service : services_) {
    if (id != 0 && FaultTable(segments_.fault_table(service)).Clear(id)) return absl::OkStatus();
  }
  return absl::NotFoundError(absl::StrCat("fault ", id, ": there is none of that number"));
}

void MachineFaults::ClearAll() {
  for (const uint32_t service : services_) {
    FaultTable table(segments_.fault_table(service));
    for (const hv_fault& plan : table.All()) table.Clear(plan.id);
  }
}

}  // namespace hv::hvd
