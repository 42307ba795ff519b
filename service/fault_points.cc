#include "service/fault_points.h"

#include "abi/message.h"
#include "service/random_bits.h"

namespace hv::service {
namespace {

// Whether the plan fires at its pass number `pass`, from 1: the same in each process that counts
// on.
bool Fires(const hv_fault& plan, uint64_t pass) {
  if (plan.times != 0 && plan.fired >= plan.times) return false;
  if (plan.every != 0) return pass % plan.every == 0;
  return RandomBits(plan.seed, pass) >> 32 < plan.rate;
}

constexpr auto kAlways = [](const hv_fault&, uint64_t) { return true; };

}  // namespace

template <typename Can>
hv_fault FaultPoints::Pass(hv_fault_point point, uint16_t kind, Can can) {
  hv_fault firing{};
  ring::DirectStores direct;
  for (hv_fault& fault : table_->faults) {
    const uint32_t id = ring::LoadAcquire(fault.id);  // pairs with FaultTable::Set
    if (id == 0 || fault.point != point) continue;
    if (fault.kind != HV_KIND_NONE && fault.kind != kind) continue;
    hv_fault plan = fault;  // fixed while it has an id, but for the counts
    plan.passes = ring::LoadRelaxed(fault.passes);
    plan.fired = ring::LoadRelaxed(fault.fired);
    ring::StoreRelaxed(fault.passes, plan.passes + 1, direct);
    if (firing.action != HV_FAULT_ACTION_NONE || !Fires(plan, plan.passes + 1)) continue;
    if (!can(plan, RandomBits(plan.seed, ~plan.passes))) continue;
    firing = plan;
    ring::StoreRelaxed(fault.fired, plan.fired + 1, direct);
  }
  return firing;
}

void FaultPoints::Fail(hv_fault_point point, uint16_t kind) {
  const hv_fault plan = Pass(point, kind, kAlways);
  if (plan.action == HV_FAULT_ACTION_NONE) return;
  effects_->Fail(static_cast<hv_fault_action>(plan.action), plan.argument);
}

bool FaultPoints::Forge(uint16_t kind, CellWay way, const hv_cell& honest, hv_cell& forged) {
  const auto can = [&](const hv_fault& plan, uint64_t random) {
    return ForgeCell(static_cast<hv_fault_action>(plan.action), way, honest, random, forged);
  };
  return Pass(HV_FAULT_POINT_SEND, kind, can).action != HV_FAULT_ACTION_NONE;
}

int FaultPoints::Wakes() {
  if (!armed()) return 1;
  switch (Pass(HV_FAULT_POINT_WAKE, HV_KIND_NONE, kAlways).action) {
    case HV_FAULT_ACTION_DROP_WAKE: return 0;
    case HV_FAULT_ACTION_DOUBLE_WAKE: return 2;
    default: return 1;
  }
}

bool FaultPoints::IsStuck(uint64_t now_ns) {
  if (now_ns < stuck_until_ns_) return true;
  if (!armed()) return false;
  const hv_fault plan = Pass(HV_FAULT_POINT_TURN, HV_KIND_NONE, kAlways);
  if (plan.action != HV_FAULT_ACTION_STICK) return false;
  stuck_until_ns_ = plan.argument == 0 ? UINT64_MAX : now_ns + plan.argument;
  return true;
}

}  // namespace hv::service
