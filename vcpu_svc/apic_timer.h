// The timer of a local APIC (Intel SDM vol. 3, 11.5.4): one-shot, periodic and TSC-deadline. It
// runs on machine time, one tick a nanosecond before division, and wants one deadline at a time.
#pragma once

#include <cstdint>

#include "vcpu_svc/apic_registers.h"
#include "vcpu_svc/guest_tsc.h"

namespace hv::vcpu {

// Plain data: part of the local APIC's.
struct ApicTimerState {
  uint64_t deadline_ns;   // when the count reaches zero or the TSC its deadline; 0: disarmed
  uint64_t tsc_deadline;  // IA32_TSC_DEADLINE; 0: disarmed
  uint32_t initial_count;
  uint32_t divide;      // divide configuration register
  uint32_t generation;  // of the deadline timer_svc was last told; others are not this timer's
  uint32_t reserved;
};

uint32_t CurrentCount(const ApicTimerState& timer, TimerMode mode, uint64_t now_ns);

class ApicTimer {
 public:
  // A periodic timer expires no more often than this, whatever the guest asks for: a period of
  // nanoseconds would keep the services busy with nothing else. No period is stretched, expiries
  // are left out, as they are on a CPU whose IRR bit is still set.
  static constexpr uint64_t kShortestIntervalNs = 100'000;

  explicit ApicTimer(ApicTimerState& state) : s_(state) {}

  // Into and out of TSC-deadline mode disarms. Between one-shot and periodic the count goes on.
  void ChangeMode(TimerMode from, TimerMode to);
  // Starts the count; 0 stops it. Nothing happens in TSC-deadline mode.
  void SetInitialCount(TimerMode mode, uint32_t count, uint64_t now_ns);
  // The count goes on from where it is at the new rate.
  void SetDivide(TimerMode mode, uint32_t value, uint64_t now_ns);
  // IA32_TSC_DEADLINE; 0 disarms. REQUIRES: TSC-deadline mode.
  void SetTscDeadline(uint64_t deadline, const GuestTsc& tsc, uint64_t now_ns);

  // The deadline has come: true when the interrupt is due, and a periodic timer is armed again.
  // False when nothing was awaited.
  bool Expire(TimerMode mode, uint64_t now_ns);

 private:
  ApicTimerState& s_;
};

}  // namespace hv::vcpu
