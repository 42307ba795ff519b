// The machine's clock: nanoseconds since the machine was made, from the host's TSC.
#pragma once

#include <cstdint>

namespace hv::service {

// Where "now" comes from. Tests bring their own.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual uint64_t NowNs() = 0;
};

// nanoseconds = (TSC - tsc_base) * 10^9 / tsc_hz, by a multiplication with the reciprocal: at most
// 1 ns less than exact, never more, so that no deadline is seen early. The same in every process of
// a machine. No system call, no division.
class MachineClock : public Clock {
 public:
  // REQUIRES: tsc_hz > 0.
  MachineClock(uint64_t tsc_base, uint64_t tsc_hz);
  uint64_t NowNs() override;

  // Nanoseconds in `ticks`, for ticks < 2^60: fourteen years at 2.5 GHz.
  uint64_t ToNs(uint64_t ticks) const {
    return static_cast<uint64_t>(static_cast<unsigned __int128>(ticks) * multiplier_ >> shift_);
  }

 private:
  uint64_t tsc_base_;
  uint64_t multiplier_;  // 10^9 * 2^shift_ / tsc_hz, rounded down
  uint32_t shift_;
};

}  // namespace hv::service
