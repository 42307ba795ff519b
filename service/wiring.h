// From an attachment's segments to the ends of the rings: ports, wakers, sleeper, spin budget.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "ring/wake.h"
#include "service/attachment.h"
#include "service/committer.h"

namespace hv::service {

class Wiring {
 public:
  // InvalidArgument: a segment is malformed, too small or read only, or a peer's wake word is
  // missing; says whose.
  static absl::StatusOr<Wiring> Make(const Attachment& attachment);

  const std::vector<Port>& ports() const { return ports_; }
  // In the order of ports().
  const std::vector<ring::Waker>& peer_wakers() const { return wakers_; }
  ring::Sleeper sleeper() const { return ring::Sleeper(own_wake_); }
  ring::Waker self_waker() const { return ring::Waker(own_wake_); }
  ring::SpinBudget spin_budget() const { return ring::SpinBudget(budget_, self_); }

 private:
  uint32_t self_ = 0;
  hv_wake* own_wake_ = nullptr;
  hv_spin_budget* budget_ = nullptr;
  std::vector<Port> ports_;
  std::vector<ring::Waker> wakers_;
};

// The wake word of `endpoint`, checked.
absl::StatusOr<hv_wake*> FindWake(const Attachment& attachment, uint32_t endpoint);

}  // namespace hv::service
