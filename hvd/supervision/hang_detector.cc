#include "hvd/supervision/hang_detector.h"

namespace hv::hvd {

bool HangDetector::Suspicious(const ServiceProgress& now, TimePoint at) {
  if (!started_ || now.heartbeat != last_.heartbeat) {
    started_ = true;
    last_ = now;
    since_ = at;
    woken_ = false;
    suspected_ = false;
    return false;
  }
  if (now.waiting && !woken_ && now.wake_word != last_.wake_word) {
    woken_ = true;
    since_ = at;
  }
  last_.wake_word = now.wake_word;
  const auto allowed = now.waiting && !woken_ ? timeout_ + kLongestSleep : timeout_;
  return at - since_ >= allowed;
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
