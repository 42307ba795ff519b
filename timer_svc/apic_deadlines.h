// The deadlines of the local APIC timers, one for each vCPU.
#pragma once

#include <algorithm>
#include <cstdint>

#include "abi/message.h"
#include "timer_svc/rate.h"

namespace hv::timer {

// Plain data: lives in the state segment.
struct DeadlineState {
  uint64_t time_ns;  // 0: disarmed
  uint32_t generation;
  uint32_t reserved;
};

class ApicDeadlines {
 public:
  ApicDeadlines(DeadlineState* deadlines, uint32_t cpus) : s_(deadlines), cpus_(cpus) {}

  // Takes the place of what was set before. False: no such vCPU.
  bool Set(const hv_deadline& deadline) {
    if (deadline.vcpu >= cpus_) return false;
    s_[deadline.vcpu] = {.time_ns = deadline.time_ns, .generation = deadline.generation};
    return true;
  }

  // Hands what is due, and disarms it, to `expired`, at most `limit` of them.
  template <typename Expired>
  void Expire(uint64_t now_ns, size_t limit, Expired expired) {
    for (uint32_t vcpu = 0; vcpu < cpus_ && limit > 0; ++vcpu) {
      DeadlineState& deadline = s_[vcpu];
      if (deadline.time_ns == 0 || deadline.time_ns > now_ns) continue;
      expired(hv_deadline{
          .time_ns = deadline.time_ns, .vcpu = vcpu, .generation = deadline.generation});
      deadline.time_ns = 0;
      --limit;
    }
  }

  uint64_t Next() const {
    uint64_t next = kNever;
    for (uint32_t vcpu = 0; vcpu < cpus_; ++vcpu) {
      if (s_[vcpu].time_ns != 0) next = std::min(next, s_[vcpu].time_ns);
    }
    return next;
  }

 private:
  DeadlineState* s_;
  uint32_t cpus_;
};

}  // namespace hv::timer
