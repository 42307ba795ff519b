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

// nanoseconds = (TSC - tsc_base) * 10^9 / tsc_hz, all in 128 bits. No system call.
class MachineClock : public Clock {
 public:
  MachineClock(uint64_t tsc_base, uint64_t tsc_hz) : tsc_base_(tsc_base), tsc_hz_(tsc_hz) {}
  uint64_t NowNs() override;

 private:
  uint64_t tsc_base_;
  uint64_t tsc_hz_;
};

}  // namespace hv::service
