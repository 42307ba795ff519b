// The origin and rate of a machine's clock, fixed when the machine is made.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"

namespace hv::hvd {

// Nanoseconds = (host TSC - tsc_base) * 10^9 / tsc_hz; realtime_base_ns is Unix time at 0.
struct ClockBase {
  uint64_t tsc_base = 0;
  uint64_t tsc_hz = 0;
  int64_t realtime_base_ns = 0;
};

// The rate of the host's TSC: from CPUID where it says so (leaf 0x15 with a crystal, Intel SDM
// vol. 3, 19.7.3; leaf 0x40000010 of a hypervisor, in kHz), else measured against
// CLOCK_MONOTONIC_RAW once, which takes 10 ms. FailedPrecondition: there is no usable TSC.
absl::StatusOr<uint64_t> HostTscHz();

// A clock that starts now.
ClockBase StartClock(uint64_t tsc_hz);

}  // namespace hv::hvd
