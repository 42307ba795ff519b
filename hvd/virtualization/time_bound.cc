#include "hvd/virtualization/time_bound.h"

#include <unistd.h>

#include <utility>

namespace hv::hvd {
namespace {

sigset_t OnlyTheSignal() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, TimeBound::kSignal);
  return set;
}

timespec AsTimespec(std::chrono::nanoseconds time) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
  return {.tv_sec = seconds.count(), .tv_nsec = (time - seconds).count()};
}

}  // namespace

std::optional<TimeBound> TimeBound::Start(std::chrono::nanoseconds cpu,
                                          std::chrono::nanoseconds wall) {
  const sigset_t blocked = OnlyTheSignal();
  sigset_t before;
  if (pthread_sigmask(SIG_BLOCK, &blocked, &before) != 0) return std::nullopt;
  TimeBound bound(before);
  if (!bound.Arm(CLOCK_THREAD_CPUTIME_ID, cpu, bound.cpu_) ||
      !bound.Arm(CLOCK_MONOTONIC, wall, bound.wall_)) {
    return std::nullopt;
  }
  return bound;
}

bool TimeBound::Arm(clockid_t clock, std::chrono::nanoseconds after,
                    std::optional<timer_t>& timer) {
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = kSignal;
  event._sigev_un._tid = gettid();  // glibc 2.36 has no sigev_notify_thread_id
  timer_t made;
  if (timer_create(clock, &event, &made) != 0) return false;
  timer = made;
  const itimerspec once{.it_value = AsTimespec(after)};
  return timer_settime(made, 0, &once, nullptr) == 0;
}

TimeBound::TimeBound(TimeBound&& other) noexcept
    : before_(other.before_),
      active_(std::exchange(other.active_, false)),
      cpu_(std::exchange(other.cpu_, std::nullopt)),
      wall_(std::exchange(other.wall_, std::nullopt)) {}

TimeBound::~TimeBound() {
  if (!active_) return;
  if (cpu_) timer_delete(*cpu_);
  if (wall_) timer_delete(*wall_);
  const sigset_t signal = OnlyTheSignal();
  const timespec now{};
  while (sigtimedwait(&signal, nullptr, &now) == kSignal) {
  }
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace hv::hvd
