#include "hvd/virtualization/ring0_speed.h"

#include <algorithm>

namespace hv::hvd {
namespace {

constexpr uint64_t kFirstIterations = 1000;
constexpr uint64_t kMostIterations = 4'096'000;
constexpr uint64_t kGrowth = 4;
constexpr int64_t kLongEnoughNs = 250'000;
constexpr int64_t kLongEnoughEntries = 4;
constexpr int kLastRuns = 2;

double Mips(uint64_t iterations, int64_t cpu_ns) {
  const auto instructions = static_cast<double>(iterations * kInstructionsPerIteration);
  return instructions * 1000 / static_cast<double>(std::max<int64_t>(cpu_ns, 1));
}

// A bound says less than any speed.
bool IsBetter(const Ring0Speed& one, const Ring0Speed& other) {
  if (one.at_most != other.at_most) return other.at_most;
  return one.mips > other.mips;
}

}  // namespace

std::optional<Ring0Speed> MeasureRing0Speed(
    const std::function<LoopRun(uint64_t iterations)>& run) {
  // Once before, so that the guest's first page faults in the host are not taken for an entry's
  // cost.
  if (run(1).end == LoopEnd::kFailed) return std::nullopt;
  const int64_t entry_ns = run(1).cpu_ns;
  const int64_t long_enough_ns = std::max(kLongEnoughNs, kLongEnoughEntries * entry_ns);
  Ring0Speed fastest{.mips = 0, .at_most = true};
  uint64_t iterations = kFirstIterations;
  for (int last_runs = 0; last_runs < kLastRuns;) {
    const LoopRun loop = run(iterations);
    if (loop.end == LoopEnd::kFailed) return std::nullopt;
    const Ring0Speed speed{.mips = Mips(iterations, loop.cpu_ns),
                           .at_most = loop.end == LoopEnd::kOutOfTime};
    if (IsBetter(speed, fastest)) fastest = speed;
    if (speed.at_most || loop.cpu_ns >= long_enough_ns || iterations == kMostIterations) {
      ++last_runs;
    } else {
      iterations *= kGrowth;
    }
  }
  return fastest;
}

}  // namespace hv::hvd
