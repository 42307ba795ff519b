#include "vcpu_svc/apic_timer.h"

#include <algorithm>

#include "abi/platform.h"

namespace hv::vcpu {
namespace {

static_assert(HV_LOCAL_APIC_TIMER_HZ == 1'000'000'000, "one bus tick is one nanosecond");

uint64_t TickNs(const ApicTimerState& timer) { return DivideConfiguration(timer.divide).divisor(); }
uint64_t PeriodNs(const ApicTimerState& timer) { return timer.initial_count * TickNs(timer); }

}  // namespace

uint32_t CurrentCount(const ApicTimerState& timer, TimerMode mode, uint64_t now_ns) {
  const uint64_t deadline_ns = timer.deadline_ns;
  if (deadline_ns == 0 || mode == TimerMode::kTscDeadline) return 0;
  uint64_t left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
  if (mode == TimerMode::kPeriodic) {
    // The deadline may lie periods ahead (kShortestIntervalNs) or, served late, behind.
    const uint64_t period = PeriodNs(timer);
    left_ns = left_ns != 0 ? left_ns % period : period - (now_ns - deadline_ns) % period;
    if (left_ns == 0) left_ns = period;
  }
  return static_cast<uint32_t>((left_ns + TickNs(timer) - 1) / TickNs(timer));
}

void ApicTimer::ChangeMode(TimerMode from, TimerMode to) {
  if ((from == TimerMode::kTscDeadline) == (to == TimerMode::kTscDeadline)) return;
  s_.deadline_ns = 0;
  s_.tsc_deadline = 0;
  s_.initial_count = 0;
}

void ApicTimer::SetInitialCount(TimerMode mode, uint32_t count, uint64_t now_ns) {
  if (mode == TimerMode::kTscDeadline) return;
  s_.initial_count = count;
  s_.deadline_ns = count == 0 ? 0 : now_ns + PeriodNs(s_);
}

void ApicTimer::SetDivide(TimerMode mode, uint32_t value, uint64_t now_ns) {
  const uint64_t left = CurrentCount(s_, mode, now_ns);
  s_.divide = value & DivideConfiguration::kWritable;
  if (left != 0) s_.deadline_ns = now_ns + left * TickNs(s_);
}

void ApicTimer::SetTscDeadline(uint64_t deadline, const GuestTsc& tsc, uint64_t now_ns) {
  s_.tsc_deadline = deadline;
  // Time 0 would say disarmed.
  s_.deadline_ns = deadline == 0 ? 0 : std::max<uint64_t>(tsc.TimeOf(deadline, now_ns), 1);
}

bool ApicTimer::Expire(TimerMode mode, uint64_t now_ns) {
  if (s_.deadline_ns == 0) return false;
  if (mode == TimerMode::kPeriodic) {
    // A whole number of periods later, however late this expiry is served.
    const uint64_t period = PeriodNs(s_);
    const uint64_t past = period < kShortestIntervalNs ? now_ns + kShortestIntervalNs : now_ns;
    const uint64_t missed = past > s_.deadline_ns ? (past - s_.deadline_ns) / period : 0;
    s_.deadline_ns += (missed + 1) * period;
  } else {
    s_.deadline_ns = 0;
    s_.tsc_deadline = 0;
  }
  return true;
}

}  // namespace hv::vcpu
