// Faults as they befall a real process.
#pragma once

#include "service/fault_points.h"

namespace hv::service {

class ProcessFaults final : public FaultEffects {
 public:
  void Fail(hv_fault_action action, uint64_t argument) override;
};

}  // namespace hv::service
