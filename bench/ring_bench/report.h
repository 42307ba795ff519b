// What the benchmark of the rings found, as a table or as JSON.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/cost_watch.h"

namespace hv::bench {

struct RoundTripResult {
  std::string name;
  double p50_ns;
  double p99_ns;
};

struct RingReport {
  uint64_t rounds;
  std::vector<RoundTripResult> round_trips;
  double ratio;             // ring to raw cache line, of the p50
  double one_way_millions;  // messages a second, median of the rounds
  double one_way_best_millions;
  Costs costs[2];  // of the asker and the answerer, in all rounds that spin
  bool calls_seen;
  // Of a service's whole step, in one process: the mean of the median round.
  double step_ns;
  double step_with_fault_points_ns;  // none of them set
};

// What is asked of the rings.
inline constexpr double kMostRatio = 2.0;
inline constexpr double kLeastMillions = 20.0;

inline bool RatioHolds(const RingReport& report) { return report.ratio <= kMostRatio; }
inline bool ThroughputHolds(const RingReport& report) {
  return report.one_way_millions > kLeastMillions;
}

void PrintTable(const RingReport& report);
void PrintJson(const RingReport& report);

}  // namespace hv::bench
