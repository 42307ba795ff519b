#include "hvd/virtualization/ring0_speed.h"

#include <algorithm>

namespace hv::hvd {
namespace {

constexpr uint64_t kFirstIterations = 1000;
constexpr uint64_t kMostIterations = 512'000;
constexpr uint64_t kGrowth = 8;
constexpr int64_t kLongEnoughNs = 500'000;

double Mips(uint64_t iterations, int64_t cpu_ns) {
  const auto instructions = static_cast<double>(iterations * kInstructionsPerIteration);
  return instructions * 1000 / static_cast<double>(std::max<int64_t>(cpu_ns, 1));
}

}  // namespace

std::optional<Ring0Speed> MeasureRing0Speed(
    const std::function<LoopRun(uint64_t iterations)>& run) {
  Ring0Speed speed;
  for (uint64_t iterations = kFirstIterations; iterations <= kMostIterations;
       iterations *= kGrowth) {
    const LoopRun loop = run(iterations);
    const double mips = Mips(iterations, loop.cpu_ns);
    switch (loop.end) {
      case LoopEnd::kFailed: return std::nullopt;
      case LoopEnd::kOutOfTime:
        // What a shorter loop has shown stands.
        if (speed.mips == 0) speed = {.mips = mips, .at_most = true};
        return speed;
      case LoopEnd::kHalted: break;
    }
    // The first loop also pays for the guest's first page faults in the host.
    speed.mips = std::max(speed.mips, mips);
    if (loop.cpu_ns >= kLongEnoughNs) break;
  }
  return speed;
}

}  // namespace hv::hvd
