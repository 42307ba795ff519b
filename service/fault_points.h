// Where the runtime can be made to fail on purpose, by the plans in the state segment
// (abi/fault.h).
#pragma once

#include <cstdint>

#include "abi/fault.h"
#include "ring/shared_store.h"
#include "service/forgery.h"

namespace hv::service {

// What a fault does to its process; the seam at which tests bring their own.
class FaultEffects {
 public:
  virtual ~FaultEffects() = default;
  // `action`: one of those at the points of a step. Returns only from a delay, a stop that was
  // continued, and OUT_OF_MEMORY.
  virtual void Fail(hv_fault_action action, uint64_t argument) = 0;
};

// With nothing set a point costs one load and a branch. One thread; the control endpoint's threads
// share another object on the same table, whose passes are those of CONTROL alone.
class FaultPoints {
 public:
  // No fault is ever set.
  FaultPoints() = default;
  // Both outlive this.
  FaultPoints(hv_fault_table* table, FaultEffects* effects) : table_(table), effects_(effects) {}

  // Pairs with the release stores of hvd's FaultTable.
  bool armed() const { return table_ != nullptr && ring::LoadAcquire(table_->armed) != 0; }

  // A point of a step whose message is of `kind`.
  void Reach(hv_fault_point point, uint16_t kind) {
    if (armed()) [[unlikely]]
      Fail(point, kind);
  }
  // At SEND, with `honest` to be sent by a step whose message is of `kind`: whether a forgery of it
  // is to go first.
  bool Forge(uint16_t kind, CellWay way, const hv_cell& honest, hv_cell& forged);
  // At WAKE: how often the peer is woken, normally 1.
  int Wakes();
  // At TURN: whether the loop is stuck at `now_ns`.
  bool IsStuck(uint64_t now_ns);

 private:
  void Fail(hv_fault_point point, uint16_t kind);
  // Counts a pass of `point`. The plan that fires, copied; with action NONE if none does. Only one
  // that `can(plan, random bits)` be carried out fires.
  template <typename Can>
  hv_fault Pass(hv_fault_point point, uint16_t kind, Can can);

  hv_fault_table* table_ = nullptr;
  FaultEffects* effects_ = nullptr;
  uint64_t stuck_until_ns_ = 0;
};

}  // namespace hv::service
