// The time-stamp counter as a stopwatch.
#pragma once

#include <x86intrin.h>

#include <cstdint>

namespace hv::bench {

// RDTSCP reads the counter once everything before it has executed (Intel SDM vol. 2), so one read a
// round trip both ends a sample and begins the next. Constant rate on every CPU hv runs on.
inline uint64_t TscNow() {
  unsigned int cpu;
  return __rdtscp(&cpu);
}

// Measured once against CLOCK_MONOTONIC_RAW, over 50 ms.
double NsPerTick();

}  // namespace hv::bench
