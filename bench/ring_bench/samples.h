// Times of many repetitions, in ticks of the time-stamp counter, and what they say together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace hv::bench {

class Samples {
 public:
  // Room for `count`, so that adding allocates nothing.
  explicit Samples(size_t count) { ticks_.reserve(count); }

  void Add(uint64_t ticks) { ticks_.push_back(ticks); }
  // The value that `share` of the samples do not exceed. REQUIRES: at least one sample.
  double PercentileNs(double share) const;

 private:
  std::vector<uint64_t> ticks_;
};

}  // namespace hv::bench
