#include "vcpu_svc/paravirtual_clock.h"

#include <cstring>

namespace hv::vcpu {
namespace {

constexpr uint64_t kNsPerSecond = 1'000'000'000;
constexpr uint64_t kEnable = 1;    // bit 0 of MSR_KVM_SYSTEM_TIME_NEW; the rest is the address
constexpr uint8_t kTscStable = 1;  // flags: vCPUs need not compare their clocks
constexpr uint32_t kComplete = 2;  // version: even, not being written; another for each content

// struct pvclock_vcpu_time_info.
struct SystemTime {
  uint32_t version;
  uint32_t pad0;
  uint64_t tsc_timestamp;  // ns = system_time + scale(tsc - tsc_timestamp)
  uint64_t system_time;
  uint32_t tsc_to_system_mul;
  int8_t tsc_shift;
  uint8_t flags;
  uint8_t pad[2];
};
static_assert(sizeof(SystemTime) == 32);

// struct pvclock_wall_clock: Unix time when system time was 0.
struct WallClock {
  uint32_t version;
  uint32_t seconds;
  uint32_t nanoseconds;
};
static_assert(sizeof(WallClock) == 12);

template <typename T>
hv_store StoreOf(uint64_t address, const T& record) {
  static_assert(sizeof(T) <= HV_STORE_MAX);
  hv_store store{};
  store.address = address;
  store.length = sizeof(T);
  std::memcpy(store.bytes, &record, sizeof(T));
  return store;
}

}  // namespace

TscScale ScaleOf(uint64_t tsc_hz) {
  // A rate in (10^9, 2 * 10^9] after the shift gives the multiplier all of its 32 bits.
  int shift = 0;
  while (tsc_hz > (2 * kNsPerSecond) << -shift) --shift;
  while (shift >= 0 && tsc_hz << shift <= kNsPerSecond) ++shift;
  const unsigned __int128 numerator = static_cast<unsigned __int128>(kNsPerSecond) << 32;
  const unsigned __int128 multiplier =
      shift < 0 ? (numerator << -shift) / tsc_hz
                : numerator / (static_cast<unsigned __int128>(tsc_hz) << shift);
  return {static_cast<uint32_t>(multiplier), static_cast<int8_t>(shift)};
}

std::optional<hv_store> ParavirtualClock::StoreFor(uint32_t msr, uint64_t value) const {
  if (msr == kWallClockMsr) {
    const uint64_t ns = realtime_base_ns_ > 0 ? static_cast<uint64_t>(realtime_base_ns_) : 0;
    return StoreOf(value, WallClock{.version = kComplete,
                                    .seconds = static_cast<uint32_t>(ns / kNsPerSecond),
                                    .nanoseconds = static_cast<uint32_t>(ns % kNsPerSecond)});
  }
  if ((value & kEnable) == 0) return std::nullopt;
  const TscScale scale = ScaleOf(tsc_hz_);
  return StoreOf(value & ~kEnable, SystemTime{.version = kComplete * (tsc_moves_ + 1),
                                              .pad0 = 0,
                                              .tsc_timestamp = tsc_adjust_,
                                              .system_time = 0,
                                              .tsc_to_system_mul = scale.multiplier,
                                              .tsc_shift = scale.shift,
                                              .flags = kTscStable,
                                              .pad = {}});
}

}  // namespace hv::vcpu
