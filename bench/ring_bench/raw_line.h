// The least that two cores can do: a word in a cache line of its own, each way.
#pragma once

#include <atomic>
#include <cstdint>

#include "bench/ring_bench/partners.h"

namespace hv::bench {

class RawLine {
 public:
  static constexpr const char* kName = "raw cache line";
  static constexpr bool kSpins = true;

  RawLine() : mapping_(SharedMemory(sizeof(Words))) {}

  void Ask(uint64_t n) {
    words().request.store(n, std::memory_order_release);
    Await(words().answer, n);
  }
  void Answer(uint64_t n) {
    Await(words().request, n);
    words().answer.store(n, std::memory_order_release);
  }

 private:
  struct Words {
    alignas(64) std::atomic<uint64_t> request;
    alignas(64) std::atomic<uint64_t> answer;
  };
  Words& words() { return *mapping_.As<Words>(); }
  // Pairs with the release store of the other side.
  static void Await(const std::atomic<uint64_t>& word, uint64_t n) {
    while (word.load(std::memory_order_acquire) != n) {
    }
  }

  ring::Mapping mapping_;
};

}  // namespace hv::bench
