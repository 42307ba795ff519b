#include "bench/ring_bench/tsc.h"

#include <time.h>

namespace hv::bench {
namespace {

constexpr uint64_t kCalibrationNs = 50'000'000;

uint64_t RawClockNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC_RAW, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

double Calibrate() {
  const uint64_t start_ns = RawClockNs();
  const uint64_t start = TscNow();
  uint64_t end_ns;
  do {
    end_ns = RawClockNs();
  } while (end_ns - start_ns < kCalibrationNs);
  return static_cast<double>(end_ns - start_ns) / static_cast<double>(TscNow() - start);
}

}  // namespace

double NsPerTick() {
  static const double ns = Calibrate();
  return ns;
}

}  // namespace hv::bench
