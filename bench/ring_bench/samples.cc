#include "bench/ring_bench/samples.h"

#include <algorithm>

#include "base/check.h"
#include "bench/ring_bench/tsc.h"

namespace hv::bench {

double Samples::PercentileNs(double share) const {
  CHECK(!ticks_.empty());
  std::vector<uint64_t> sorted = ticks_;
  const auto at = static_cast<size_t>(share * static_cast<double>(sorted.size() - 1));
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<ptrdiff_t>(at), sorted.end());
  return static_cast<double>(sorted[at]) * NsPerTick();
}

}  // namespace hv::bench
