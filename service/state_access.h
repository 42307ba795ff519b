// How a service's own control plane reaches its state: between two steps, changes as committed
// steps.
#pragma once

#include <functional>

#include "absl/status/status.h"

namespace hv::service {

// Any thread but the poll loop's. Both calls wait for the loop.
class StateAccess {
 public:
  virtual ~StateAccess() = default;

  // Shows `look` the committed state.
  virtual void Look(const std::function<void(const void* state)>& look) = 0;
  // Lets `change` work on a copy of the state. OK commits the copy and projects it; an error leaves
  // the old state in force and comes back. FailedPrecondition while quiesced: `change` is not
  // called.
  virtual absl::Status Change(const std::function<absl::Status(void* state)>& change) = 0;
};

}  // namespace hv::service
