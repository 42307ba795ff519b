// The rings beside a raw cache line, a futex and a Unix socket, between two processes.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/check.h"
#include "bench/ring_bench/contests.h"
#include "bench/ring_bench/futex_pair.h"
#include "bench/ring_bench/raw_line.h"
#include "bench/ring_bench/report.h"
#include "bench/ring_bench/ring_pair.h"
#include "bench/ring_bench/socket_pair.h"
#include "bench/ring_bench/step_times.h"

namespace hv::bench {
namespace {

constexpr uint64_t kSpinningTrips = 2000, kSleepingTrips = 50, kCells = 20000;

class Bench {
 public:
  explicit Bench(uint64_t rounds) : rounds_(rounds) {}

  RingReport Run() {
    auto costs = SharedMemory(sizeof(Costs));
    const pid_t child = fork();
    CHECK(child >= 0);
    CostWatch watch;
    if (child == 0) {
      Play(Role::kAnswerer, watch);
      *costs.As<Costs>() = watch.costs();
      _exit(0);
    }
    Play(Role::kAsker, watch);
    int status = 1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    RingReport report = Report(watch, *costs.As<Costs>());
    TimeSteps(report);
    return report;
  }

 private:
  void Play(Role role, CostWatch& watch) {
    cores_.Pin(role);
    auto play = [&, met = uint64_t{0}](auto& contest) mutable {
      meeting_.Meet(role, ++met);
      contest.Round(role, watch);
    };
    for (uint64_t round = 0; round < rounds_; ++round) {
      play(raw_);
      play(ring_);
      play(one_way_);
      play(futex_);
      play(socket_);
    }
  }

  // What fault points cost a service when no fault is set.
  void TimeSteps(RingReport& report) const {
    StepTimes without(StepTimes::FaultPoints::kNone, rounds_);
    StepTimes with(StepTimes::FaultPoints::kUnset, rounds_);
    for (uint64_t round = 0; round < rounds_; ++round) {
      without.Round();
      with.Round();
    }
    report.step_ns = without.NsPerStep(0.5);
    report.step_with_fault_points_ns = with.NsPerStep(0.5);
  }

  template <typename Transport>
  static RoundTripResult Result(const RoundTrips<Transport>& contest) {
    return {Transport::kName, contest.samples().PercentileNs(0.5),
            contest.samples().PercentileNs(0.99)};
  }

  RingReport Report(const CostWatch& own, const Costs& others) const {
    RingReport report{.rounds = rounds_,
                      .round_trips = {Result(raw_), Result(ring_), Result(futex_), Result(socket_)},
                      .one_way_millions = one_way_.MillionsPerSecond(0.5),
                      .one_way_best_millions = one_way_.MillionsPerSecond(1),
                      .costs = {own.costs(), others},
                      .calls_seen = own.sees_calls(),
                      .step_ns = 0,
                      .step_with_fault_points_ns = 0};
    report.ratio = report.round_trips[1].p50_ns / report.round_trips[0].p50_ns;
    return report;
  }

  const uint64_t rounds_;
  Cores cores_;
  MeetingPoint meeting_;
  RoundTrips<RawLine> raw_{rounds_, kSpinningTrips};
  RoundTrips<RingPair> ring_{rounds_, kSpinningTrips};
  RoundTrips<FutexPair> futex_{rounds_, kSleepingTrips};
  RoundTrips<SocketPair> socket_{rounds_, kSleepingTrips};
  OneWay one_way_{rounds_, kCells};
};

}  // namespace
}  // namespace hv::bench

int main(int argc, char** argv) {
  uint64_t rounds = 100;
  bool json = false;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--json") == 0) {
      json = true;
    } else if (std::strcmp(argv[i], "--rounds") == 0 && i + 1 < argc &&
               std::atoi(argv[i + 1]) > 0) {
      rounds = static_cast<uint64_t>(std::atoi(argv[++i]));
    } else {
      std::fprintf(stderr, "usage: ring [--rounds N] [--json]\n");
      return 2;
    }
  }
  const auto report = hv::bench::Bench(rounds).Run();
  (json ? hv::bench::PrintJson : hv::bench::PrintTable)(report);
  return 0;
}
