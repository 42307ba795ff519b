// When a service that died is replaced, and when to give up on it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace hv::hvd {

// A process that did something before it died (committed a step, or went to sleep with nothing left
// to do) is replaced at once, however often it is killed. One that keeps dying on what it finds is
// given a few tries at once, then tries at growing distances, then none.
class RespawnPolicy {
 public:
  static constexpr uint32_t kImmediateTries = 3;
  static constexpr uint32_t kTries = 10;
  static constexpr std::chrono::milliseconds kFirstDelay{10};
  static constexpr std::chrono::milliseconds kLongestDelay{1000};

  // To be called for each death. Returns how long to wait for the next try; nullopt: give up, the
  // service is degraded.
  std::optional<std::chrono::milliseconds> OnDeath(bool did_something);

  uint32_t fruitless_deaths() const { return fruitless_; }

 private:
  uint32_t fruitless_ = 0;  // in a row
};

}  // namespace hv::hvd
