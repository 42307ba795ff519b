// A word each way and a futex: both sides sleep until they are woken.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

#include "bench/ring_bench/partners.h"

namespace hv::bench {

class FutexPair {
 public:
  static constexpr const char* kName = "futex";
  static constexpr bool kSpins = false;

  FutexPair() : mapping_(SharedMemory(sizeof(Words))) {}

  void Ask(uint64_t n) {
    Signal(words().request, n);
    Await(words().answer, n);
  }
  void Answer(uint64_t n) {
    Await(words().request, n);
    Signal(words().answer, n);
  }

 private:
  struct Words {
    alignas(64) std::atomic<uint32_t> request;
    alignas(64) std::atomic<uint32_t> answer;
  };
  Words& words() { return *mapping_.As<Words>(); }

  static void Signal(std::atomic<uint32_t>& word, uint64_t n) {
    word.store(static_cast<uint32_t>(n), std::memory_order_release);
    syscall(SYS_futex, &word, FUTEX_WAKE, 1, nullptr, nullptr, 0);
  }
  // Pairs with the store in Signal.
  static void Await(std::atomic<uint32_t>& word, uint64_t n) {
    const auto wanted = static_cast<uint32_t>(n);
    for (uint32_t seen; (seen = word.load(std::memory_order_acquire)) != wanted;) {
      syscall(SYS_futex, &word, FUTEX_WAIT, seen, nullptr, nullptr, 0);
    }
  }

  ring::Mapping mapping_;
};

}  // namespace hv::bench
