#include "bench/ring_bench/report.h"

#include <cinttypes>
#include <cstdio>

namespace hv::bench {
namespace {

const char* InWords(bool holds) { return holds ? "holds" : "DOES NOT HOLD"; }
const char* InJson(bool value) { return value ? "true" : "false"; }

constexpr const char* kSides[] = {"asker", "answerer"};

void PrintCosts(const char* side, const Costs& costs, bool calls_seen) {
  std::printf("  %-9s %" PRIu64 " allocations, ", side, costs.allocations);
  if (calls_seen) {
    std::printf("%" PRIu64 " rounds with a system call, ", costs.stretches_with_calls);
  } else {
    std::printf("system calls not seen, ");
  }
  std::printf("%" PRIu64 " sleeps, %" PRIu64 " preemptions\n", costs.sleeps, costs.preemptions);
}

}  // namespace

void PrintTable(const RingReport& report) {
  std::printf("Two processes on two cores, %" PRIu64
              " rounds, taken in turn; time by RDTSCP after each "
              "round trip,\nscaled by CLOCK_MONOTONIC_RAW.\n\n",
              report.rounds);
  std::printf("%-16s %12s %12s\n", "round trip", "p50 ns", "p99 ns");
  for (const RoundTripResult& one : report.round_trips) {
    std::printf("%-16s %12.0f %12.0f\n", one.name.c_str(), one.p50_ns, one.p99_ns);
  }
  std::printf("\nring / raw cache line, p50: %.2f (at most %.1f: %s)\n", report.ratio, kMostRatio,
              InWords(RatioHolds(report)));
  std::printf(
      "one way, single cells: %.1f million a second in the median round, %.1f in the best "
      "(above %.0f: %s)\n",
      report.one_way_millions, report.one_way_best_millions, kLeastMillions,
      InWords(ThroughputHolds(report)));
  std::printf(
      "a service's step: %.1f ns with fault points of which none is set, %.1f without: %.3f\n",
      report.step_with_fault_points_ns, report.step_ns,
      report.step_with_fault_points_ns / report.step_ns);
  std::printf("cost of all ring and cache-line rounds beside time:\n");
  for (int side = 0; side < 2; ++side) {
    PrintCosts(kSides[side], report.costs[side], report.calls_seen);
  }
}

void PrintJson(const RingReport& report) {
  std::printf("{\"rounds\": %" PRIu64 ", \"clock\": \"rdtscp\", \"round_trip\": {", report.rounds);
  const char* separator = "";
  for (const RoundTripResult& one : report.round_trips) {
    std::printf("%s\"%s\": {\"p50_ns\": %.1f, \"p99_ns\": %.1f}", separator, one.name.c_str(),
                one.p50_ns, one.p99_ns);
    separator = ", ";
  }
  std::printf(
      "}, \"ratio\": %.3f, \"ratio_holds\": %s, \"one_way_millions\": %.2f, "
      "\"one_way_best_millions\": %.2f, \"one_way_holds\": %s, \"step_ns\": %.2f, "
      "\"step_with_fault_points_ns\": %.2f, \"costs\": {",
      report.ratio, InJson(RatioHolds(report)), report.one_way_millions,
      report.one_way_best_millions, InJson(ThroughputHolds(report)), report.step_ns,
      report.step_with_fault_points_ns);
  for (int side = 0; side < 2; ++side) {
    const Costs& costs = report.costs[side];
    std::printf("%s\"%s\": {\"allocations\": %" PRIu64 ", \"rounds_with_system_calls\": %" PRId64
                ", \"sleeps\": %" PRIu64 ", \"preemptions\": %" PRIu64 "}",
                side == 0 ? "" : ", ", kSides[side], costs.allocations,
                report.calls_seen ? static_cast<int64_t>(costs.stretches_with_calls) : int64_t{-1},
                costs.sleeps, costs.preemptions);
  }
  std::printf("}}\n");
}

}  // namespace hv::bench
