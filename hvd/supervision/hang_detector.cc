#include "hvd/supervision/hang_detector.h"

#include <algorithm>

namespace hv::hvd {

bool HangDetector::Suspicious(const ServiceProgress& now, TimePoint at) {
  // Where a look comes late the host was busy with something else, and the service had to wait for
  // it as well: not all of that time counts.
  still_ += std::min<std::chrono::nanoseconds>(at - last_look_, timeout_ / 2);
  last_look_ = at;
  if (!started_ || now.heartbeat != last_.heartbeat) {
    started_ = true;
    last_ = now;
    still_ = {};
    woken_ = false;
    suspected_ = false;
    return false;
  }
  if (now.waiting && !woken_ && now.wake_word != last_.wake_word) {
    woken_ = true;
    still_ = {};
  }
  // Awake since the last look at most: that it slept before is no delay.
  if (last_.waiting && !now.waiting) still_ = {};
  last_.waiting = now.waiting;
  last_.wake_word = now.wake_word;
  return still_ >= (now.waiting && !woken_ ? timeout_ + kLongestIdle : timeout_);
}

bool HangDetector::Hangs(const ProcessActivity& activity) {
  switch (activity.state) {
    case 'D':  // waits for a disk
    case 'Z':  // dead, which its supervisor hears by itself
      suspected_ = false;
      return false;
    case 'R':
      if (!suspected_) {
        suspected_ = true;
        cpu_when_suspected_ = activity.cpu;
      }
      return activity.cpu - cpu_when_suspected_ >= timeout_;
    default: return true;
  }
}

}  // namespace hv::hvd
