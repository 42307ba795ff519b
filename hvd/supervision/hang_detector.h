// Whether a service that is alive gets anywhere. Pure: what it looks at comes in.
#pragma once

#include <chrono>
#include <cstdint>

#include "hvd/host/process_activity.h"

namespace hv::hvd {

// What a look at a service shows (abi/state.h, abi/wake.h).
struct ServiceProgress {
  uint64_t heartbeat;  // raised at each turn of its poll loop
  bool waiting;        // it has found nothing to do and gone to sleep
  uint32_t wake_word;  // changed by whoever wakes it
};

// A service makes a turn of its loop again and again while it has work, and when it is woken. One
// that sleeps with nobody having woken it is idle, not hung; it looks round by itself from time to
// time, if the host's timers are not late, and nobody waits for it: it is given kLongestIdle. One
// that is not given a processor, or waits for a disk, is slow, not hung: for a runnable one only
// the time counts that it has had a processor.
class HangDetector {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  // Several times what a service sleeps (service/poll_loop.cc).
  static constexpr std::chrono::milliseconds kLongestIdle{1000};

  explicit HangDetector(std::chrono::nanoseconds timeout) : timeout_(timeout) {}

  // To be called again and again. True: it has made no turn for too long though it should have; ask
  // the host and call Hangs.
  bool Suspicious(const ServiceProgress& now, TimePoint at);
  // REQUIRES: Suspicious has just returned true.
  bool Hangs(const ProcessActivity& activity);

 private:
  std::chrono::nanoseconds timeout_;
  bool started_ = false;
  ServiceProgress last_{};
  TimePoint last_look_{};
  std::chrono::nanoseconds still_{0};  // since its last turn, or since it was woken
  bool woken_ = false;
  bool suspected_ = false;
  std::chrono::nanoseconds cpu_when_suspected_{0};
};

}  // namespace hv::hvd
