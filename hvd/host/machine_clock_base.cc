#include "hvd/host/machine_clock_base.h"

#include <cpuid.h>
#include <time.h>
#include <x86intrin.h>

namespace hv::hvd {
namespace {

constexpr uint32_t kTscLeaf = 0x15;
constexpr uint32_t kHypervisorLeaf = 0x40000000;
constexpr uint32_t kHypervisorTimingLeaf = 0x40000010;
constexpr uint32_t kHypervisorBit = 1u << 31;  // leaf 1, ECX
constexpr uint32_t kTscBit = 1u << 4;          // leaf 1, EDX
constexpr uint64_t kNsPerSecond = 1'000'000'000;
// Long enough: readings are some 30 ns apart, so the rate is right to 3 in a million, and a crystal
// is not.
constexpr uint64_t kMeasureNs = 10'000'000;
// What a PC's TSC can plausibly be; anything else is a broken answer.
constexpr uint64_t kSlowestHz = 100'000'000;
constexpr uint64_t kFastestHz = 20'000'000'000;

bool Plausible(uint64_t hz) { return hz >= kSlowestHz && hz <= kFastestHz; }

uint64_t NowNs(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<uint64_t>(now.tv_sec) * kNsPerSecond + static_cast<uint64_t>(now.tv_nsec);
}

uint64_t CrystalHz() {
  uint32_t denominator = 0, numerator = 0, crystal = 0, unused = 0;
  if (__get_cpuid_max(0, nullptr) < kTscLeaf) return 0;
  __cpuid(kTscLeaf, denominator, numerator, crystal, unused);
  if (denominator == 0 || numerator == 0 || crystal == 0) return 0;
  return static_cast<uint64_t>(crystal) * numerator / denominator;
}

uint64_t HypervisorHz() {
  uint32_t eax, ebx, ecx, edx;
  __cpuid(1, eax, ebx, ecx, edx);
  if ((ecx & kHypervisorBit) == 0) return 0;
  __cpuid(kHypervisorLeaf, eax, ebx, ecx, edx);
  if (eax < kHypervisorTimingLeaf) return 0;
  __cpuid(kHypervisorTimingLeaf, eax, ebx, ecx, edx);
  return static_cast<uint64_t>(eax) * 1000;
}

// One reading of both clocks, the TSC halfway between; of several, the one with the least between.
struct Reading {
  uint64_t tsc;
  uint64_t ns;
};
Reading ReadBoth() {
  Reading best{};
  uint64_t least = UINT64_MAX;
  for (int i = 0; i < 16; ++i) {
    const uint64_t before = __rdtsc();
    const uint64_t ns = NowNs(CLOCK_MONOTONIC_RAW);
    const uint64_t after = __rdtsc();
    if (after - before >= least) continue;
    least = after - before;
    best = {before + least / 2, ns};
  }
  return best;
}

uint64_t MeasuredHz() {
  const Reading first = ReadBoth();
  const timespec wait{.tv_sec = 0, .tv_nsec = static_cast<long>(kMeasureNs)};
  nanosleep(&wait, nullptr);
  const Reading second = ReadBoth();
  if (second.ns <= first.ns) return 0;
  return static_cast<uint64_t>(static_cast<unsigned __int128>(second.tsc - first.tsc) *
                               kNsPerSecond / (second.ns - first.ns));
}

}  // namespace

absl::StatusOr<uint64_t> HostTscHz() {
  uint32_t eax, ebx, ecx, edx;
  __cpuid(1, eax, ebx, ecx, edx);
  if ((edx & kTscBit) == 0) return absl::FailedPreconditionError("the host's CPU has no TSC");
  for (uint64_t (*source)() : {&CrystalHz, &HypervisorHz, &MeasuredHz}) {
    const uint64_t hz = source();
    if (Plausible(hz)) return hz;
  }
  return absl::FailedPreconditionError(
      "the host's TSC has no usable rate: neither CPUID nor a measurement gives one");
}

ClockBase StartClock(uint64_t tsc_hz) {
  const uint64_t before = __rdtsc();
  const auto realtime = static_cast<int64_t>(NowNs(CLOCK_REALTIME));
  return {.tsc_base = before + (__rdtsc() - before) / 2,
          .tsc_hz = tsc_hz,
          .realtime_base_ns = realtime};
}

}  // namespace hv::hvd
