// The time-stamp counter of a guest CPU as a function of machine time: 0 at time 0, at one rate for
// ever, moved by what the guest wrote to it (Intel SDM vol. 3, 17.17.3, IA32_TSC_ADJUST).
#pragma once

#include <algorithm>
#include <cstdint>

namespace hv::vcpu {

class GuestTsc {
 public:
  explicit GuestTsc(uint64_t hz, uint64_t adjust = 0) : hz_(hz), adjust_(adjust) {}

  // Rounded down.
  uint64_t At(uint64_t now_ns) const { return Unmoved(now_ns) + adjust_; }

  // The machine time at which the counter, `now_ns` being the time, has come to `value`: rounded
  // up, never early; some time past when it has already; UINT64_MAX when it never will.
  uint64_t TimeOf(uint64_t value, uint64_t now_ns) const {
    const uint64_t now = At(now_ns);
    if (value <= now) return now_ns;
    const Wide unmoved = Wide{Unmoved(now_ns)} + (value - now);
    const Wide ns = (unmoved * kNsPerSecond + hz_ - 1) / hz_;
    return static_cast<uint64_t>(std::min<Wide>(ns, UINT64_MAX));
  }

 private:
  __extension__ using Wide = unsigned __int128;
  static constexpr uint64_t kNsPerSecond = 1'000'000'000;

  uint64_t Unmoved(uint64_t ns) const {
    return static_cast<uint64_t>(Wide{ns} * hz_ / kNsPerSecond);
  }

  uint64_t hz_;
  uint64_t adjust_;
};

}  // namespace hv::vcpu
