// Two processes on two cores that take turns by the same plan.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>

#include "ring/segment.h"

namespace hv::bench {

enum class Role { kAsker, kAnswerer };

// A CPU each for asker and answerer: the first two this process may use.
// Exits with a message when there are fewer than two.
class Cores {
 public:
  Cores();
  void Pin(Role role) const;
  int of(Role role) const { return role == Role::kAsker ? asker_ : answerer_; }

 private:
  int asker_;
  int answerer_;
};

// Where the two meet before each round, so that both are running when it begins.
class MeetingPoint {
 public:
  MeetingPoint();
  // Returns when both have come for the `n`th time, n counting from 1.
  void Meet(Role role, uint64_t n);

 private:
  struct Shared {
    alignas(64) std::atomic<uint64_t> arrived[2];
  };
  ring::Mapping mapping_;
};

// Memory that a child process made by fork() shares.
ring::Mapping SharedMemory(uint64_t bytes);

}  // namespace hv::bench
