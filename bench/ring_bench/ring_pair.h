// A request and its answer over the two rings of a channel.
#pragma once

#include <cstdint>

#include "bench/ring_bench/bench_channel.h"

namespace hv::bench {

class RingPair {
 public:
  static constexpr const char* kName = "ring";
  static constexpr bool kSpins = true;

  void Ask(uint64_t n) {
    asker_.Send(n);
    asker_.Receive();
  }
  void Answer(uint64_t n) {
    answerer_.Receive();
    answerer_.Send(n);
  }

 private:
  BenchChannel channel_;
  BenchChannel::End asker_{channel_.a()};
  BenchChannel::End answerer_{channel_.b()};
};

}  // namespace hv::bench
