// How long a service takes for a step, in this process alone: with fault points of which none is
// set, as every service has them, and without any.
#pragma once

#include <cstdint>
#include <memory>

#include "bench/ring_bench/samples.h"

namespace hv::bench {

class StepTimes {
 public:
  enum class FaultPoints { kNone, kUnset };

  // Room for `rounds`.
  StepTimes(FaultPoints points, uint64_t rounds);
  ~StepTimes();

  // Some steps, each a read answered, committed, published and acknowledged.
  void Round();
  // Of one step; the mean over a round at `share` of the rounds.
  double NsPerStep(double share) const;

 private:
  struct Service;
  std::unique_ptr<Service> service_;
  Samples samples_;
};

}  // namespace hv::bench
