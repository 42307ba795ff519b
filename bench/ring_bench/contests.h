// The rounds of the benchmark: round trips of one transport, and one-way streams of cells.
#pragma once

#include <cstdint>

#include "base/cost_watch.h"
#include "bench/ring_bench/bench_channel.h"
#include "bench/ring_bench/partners.h"
#include "bench/ring_bench/samples.h"
#include "bench/ring_bench/tsc.h"

namespace hv::bench {

// Round trips over a `Transport` (raw_line.h, ring_pair.h, futex_pair.h, socket_pair.h);
// constructed before the fork, then one round at a time in both processes.
template <typename Transport>
class RoundTrips {
 public:
  RoundTrips(uint64_t rounds, uint64_t trips_a_round)
      : trips_(trips_a_round), samples_(rounds * trips_a_round) {}

  void Round(Role role, CostWatch& watch) {
    if (Transport::kSpins) watch.Begin();
    if (role == Role::kAnswerer) {
      for (uint64_t i = 0; i < trips_; ++i) transport_.Answer(++number_);
    } else {
      uint64_t before = TscNow();
      for (uint64_t i = 0; i < trips_; ++i) {
        transport_.Ask(++number_);
        const uint64_t now = TscNow();
        samples_.Add(now - before);
        before = now;
      }
    }
    if (Transport::kSpins) watch.End();
  }

  const Samples& samples() const { return samples_; }

 private:
  Transport transport_;
  uint64_t trips_;
  uint64_t number_ = 0;
  Samples samples_;
};

// The asker sends cells as fast as they are taken; a sample is the time of a whole round, to the
// answer that says that the last cell has arrived.
class OneWay {
 public:
  OneWay(uint64_t rounds, uint64_t cells_a_round) : cells_(cells_a_round), samples_(rounds) {}

  void Round(Role role, CostWatch& watch) {
    watch.Begin();
    if (role == Role::kAnswerer) {
      for (uint64_t i = 0; i < cells_; ++i) answerer_.Receive();
      answerer_.Send(0);
    } else {
      const uint64_t before = TscNow();
      for (uint64_t i = 0; i < cells_; ++i) asker_.Send(i);
      asker_.Receive();
      samples_.Add(TscNow() - before);
    }
    watch.End();
  }

  // Millions of messages a second in the round that `share` of the rounds were not slower than.
  double MillionsPerSecond(double share) const {
    return static_cast<double>(cells_) * 1e3 / samples_.PercentileNs(1 - share);
  }

 private:
  uint64_t cells_;
  BenchChannel channel_;
  BenchChannel::End asker_{channel_.a()};
  BenchChannel::End answerer_{channel_.b()};
  Samples samples_;
};

}  // namespace hv::bench
