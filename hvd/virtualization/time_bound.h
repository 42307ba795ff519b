// A bound on the time this thread spends in one system call, without a signal handler.
#pragma once

#include <signal.h>
#include <time.h>

#include <chrono>
#include <optional>

namespace hv::hvd {

// While it lives, `kSignal` is blocked in this thread and becomes pending once the thread has used
// `cpu` of processor time, or `wall` has passed on the clock, whichever comes first. KVM_RUN, told
// by KVM_SET_SIGNAL_MASK not to block it, then returns EINTR, and blocks it again before it could
// be delivered. What is pending at the end is taken away, so that nothing else ever sees the
// signal. Thread rule: made, used and destroyed by one thread, one at a time.
class TimeBound {
 public:
  static constexpr int kSignal = SIGALRM;

  // None: the host gives no timers.
  static std::optional<TimeBound> Start(std::chrono::nanoseconds cpu,
                                        std::chrono::nanoseconds wall);
  TimeBound(TimeBound&& other) noexcept;
  TimeBound& operator=(TimeBound&&) = delete;
  ~TimeBound();

 private:
  explicit TimeBound(const sigset_t& before) : before_(before) {}
  bool Arm(clockid_t clock, std::chrono::nanoseconds after, std::optional<timer_t>& timer);

  sigset_t before_;
  bool active_ = true;
  std::optional<timer_t> cpu_, wall_;
};

}  // namespace hv::hvd
