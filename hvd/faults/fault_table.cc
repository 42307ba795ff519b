#include "hvd/faults/fault_table.h"

#include "absl/strings/str_cat.h"
#include "ring/shared_store.h"

namespace hv::hvd {

absl::Status FaultTable::Set(const hv_fault& plan) {
  ring::DirectStores stores;
  for (hv_fault& place : table_->faults) {
    if (ring::LoadRelaxed(place.id) != 0) continue;
    hv_fault unnamed = plan;
    unnamed.id = 0;
    unnamed.passes = 0;
    unnamed.fired = 0;
    place = unnamed;
    // Pair with the acquire loads of FaultPoints: the plan is complete, then there, then looked
    // for.
    ring::StoreRelease(place.id, plan.id, stores);
    ring::StoreRelease(table_->armed, table_->armed + 1, stores);
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(
      absl::StrCat("a service has at most ", HV_FAULTS, " faults: clear one first"));
}

bool FaultTable::Clear(uint32_t id) {
  ring::DirectStores stores;
  for (hv_fault& place : table_->faults) {
    if (ring::LoadRelaxed(place.id) != id) continue;
    ring::StoreRelease(place.id, uint32_t{0}, stores);
    ring::StoreRelease(table_->armed, table_->armed - 1, stores);
    return true;
  }
  return false;
}

std::vector<hv_fault> FaultTable::All() const {
  std::vector<hv_fault> all;
  for (const hv_fault& place : table_->faults) {
    if (ring::LoadAcquire(place.id) == 0) continue;
    hv_fault copy = place;
    copy.passes = ring::LoadRelaxed(place.passes);
    copy.fired = ring::LoadRelaxed(place.fired);
    all.push_back(copy);
  }
  return all;
}

}  // namespace hv::hvd
