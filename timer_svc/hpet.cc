#include "timer_svc/hpet.h"

#include <algorithm>

#include "abi/platform.h"

namespace hv::timer {
namespace {

enum Offset : uint64_t {
  kCapabilities = 0x000, kConfiguration = 0x010, kStatus = 0x020, kCounter = 0x0f0,
  kTimers = 0x100,
};
constexpr uint64_t kTimerBytes = 0x20;
constexpr uint64_t kVendor = 0x8086;
constexpr uint64_t kRevision = 1;

constexpr uint64_t kEnable = 1u << 0, kLegacy = 1u << 1;
// Timer configuration (2.3.8).
constexpr uint64_t kLevel = 1u << 1, kInterruptEnable = 1u << 2, kPeriodic = 1u << 3;
constexpr uint64_t kPeriodicCapable = 1u << 4, k64Bit = 1u << 5, kSetValue = 1u << 6;
constexpr uint64_t k32BitMode = 1u << 8;
constexpr uint64_t kRouteMask = 0x1f00u << 1;  // bits 13:9
constexpr uint64_t kWritable = kLevel | kInterruptEnable | kPeriodic | kSetValue | k32BitMode | kRouteMask;
// Inputs a timer may be routed to: those of no ISA device.
constexpr uint64_t kRoutes = 0x00f00000;
constexpr uint32_t kFirstRoute = 20;

}  // namespace

bool Hpet::enabled() const { return (s_.config & kEnable) != 0; }
bool Hpet::legacy_routing() const { return enabled() && (s_.config & kLegacy) != 0; }
bool Hpet::Is32Bit(int timer) const { return (s_.timer_config[timer] & k32BitMode) != 0; }

uint64_t Hpet::Counter(uint64_t tick) const {
  return enabled() ? s_.counter_base + (tick - s_.base_tick) : s_.counter_base;
}

uint32_t Hpet::GsiOf(int timer) const {
  // Legacy replacement: timer 0 is IRQ 0, timer 1 the RTC's IRQ 8.
  if (legacy_routing() && timer == 0) return HV_GSI_PIT;
  if (legacy_routing() && timer == 1) return HV_GSI_RTC;
  const auto route = static_cast<uint32_t>((s_.timer_config[timer] & kRouteMask) >> 9);
  return (kRoutes >> route & 1) != 0 ? route : kFirstRoute;
}

uint64_t Hpet::ReadRegister(uint64_t offset, uint64_t tick) const {
  switch (offset) {
    case kCapabilities:
      return uint64_t{HV_HPET_PERIOD_FS} << 32 | kVendor << 16 | 1u << 15 | 1u << 13 |
             (kHpetTimers - 1) << 8 | kRevision;
    case kConfiguration: return s_.config;
    case kStatus: return s_.status;
    case kCounter: return Counter(tick);
    default: break;
  }
  if (offset < kTimers || offset >= kTimers + kHpetTimers * kTimerBytes) return 0;
  const auto timer = static_cast<int>((offset - kTimers) / kTimerBytes);
  switch (offset % kTimerBytes) {
    case 0: return s_.timer_config[timer] | kPeriodicCapable | k64Bit | kRoutes << 32;
    case 8: return s_.comparator[timer];
    default: return 0;  // FSB delivery is not offered
  }
}

uint64_t Hpet::Read(uint64_t offset, uint32_t width, uint64_t tick) const {
  const uint64_t value = ReadRegister(offset & ~7ull, tick);
  return (offset & 4) != 0 && width <= 4 ? value >> 32 : value;
}

void Hpet::Write(uint64_t offset, uint32_t width, uint64_t value, uint64_t tick,
                 LineChange* changes, int& count) {
  const bool high = (offset & 4) != 0;
  uint64_t mask = width >= 8 ? ~uint64_t{0} : 0xffffffffull;
  if (high) {
    value <<= 32;
    mask <<= 32;
  }
  WriteRegister(offset & ~7ull, value & mask, mask, tick, changes, count);
}

void Hpet::WriteRegister(uint64_t offset, uint64_t value, uint64_t mask, uint64_t tick,
                         LineChange* changes, int& count) {
  const auto merge = [&](uint64_t old) { return (old & ~mask) | value; };
  if (offset == kConfiguration) {
    const uint64_t next = merge(s_.config) & (kEnable | kLegacy);
    const uint64_t now = Counter(tick);
    if (((next ^ s_.config) & kEnable) != 0) {
      s_.counter_base = now;
      s_.base_tick = s_.served_tick = tick;
    }
    s_.config = next;
  } else if (offset == kStatus) {
    const uint64_t cleared = value & s_.status;
    s_.status &= ~cleared;
    for (int i = 0; i < kHpetTimers; ++i) {
      if ((cleared >> i & 1) != 0) changes[count++] = {GsiOf(i), false, false};
    }
  } else if (offset == kCounter) {
    if (enabled()) return;  // only while halted
    s_.counter_base = merge(s_.counter_base);
  } else if (offset >= kTimers && offset < kTimers + kHpetTimers * kTimerBytes) {
    const auto timer = static_cast<int>((offset - kTimers) / kTimerBytes);
    s_.served_tick = std::max(s_.served_tick, tick);
    if (offset % kTimerBytes == 0) {
      s_.timer_config[timer] = merge(s_.timer_config[timer]) & kWritable;
    } else if (offset % kTimerBytes == 8) {
      uint64_t& config = s_.timer_config[timer];
      if ((config & kPeriodic) == 0) {
        s_.comparator[timer] = merge(s_.comparator[timer]);
      } else if ((config & kSetValue) != 0) {
        // The accumulator is set once; the next write is the period (2.3.9.2.2).
        s_.comparator[timer] = merge(s_.comparator[timer]);
        s_.period[timer] = merge(s_.period[timer]);
        config &= ~kSetValue;
      } else {
        s_.period[timer] = merge(s_.period[timer]);
      }
      if (Is32Bit(timer)) {
        s_.comparator[timer] &= 0xffffffffu;
        s_.period[timer] &= 0xffffffffu;
      }
    }
  }
}

// The first tick after `after` at which the counter equals the comparator.
uint64_t Hpet::MatchTick(int timer, uint64_t after) const {
  const uint64_t config = s_.timer_config[timer];
  if (!enabled() || (config & kInterruptEnable) == 0) return UINT64_MAX;
  const uint64_t now = Counter(after);
  uint64_t ahead = s_.comparator[timer] - now;
  if (Is32Bit(timer)) {
    ahead &= 0xffffffffu;
    if (ahead == 0) ahead = uint64_t{1} << 32;
  }
  // A 64-bit comparator in the past matches after the counter has wrapped: not in this life.
  if (ahead == 0 || ahead > INT64_MAX) return UINT64_MAX;
  return after + ahead;
}

uint64_t Hpet::NextMatch(uint64_t tick) const {
  uint64_t next = UINT64_MAX;
  const uint64_t from = std::min(tick, s_.served_tick);
  for (int i = 0; i < kHpetTimers; ++i) next = std::min(next, MatchTick(i, from));
  return next;
}

void Hpet::Advance(uint64_t tick, LineChange* changes, int& count) {
  if (!enabled() || tick <= s_.served_tick) return;
  for (int i = 0; i < kHpetTimers; ++i) {
    const uint64_t match = MatchTick(i, s_.served_tick);
    if (match > tick) continue;
    if ((s_.timer_config[i] & kPeriodic) != 0 && s_.period[i] != 0) {
      // Whole periods: those missed altogether are one interrupt.
      const uint64_t periods = (tick - match) / s_.period[i] + 1;
      s_.comparator[i] += periods * s_.period[i];
      if (Is32Bit(i)) s_.comparator[i] &= 0xffffffffu;
    }
    const bool level = (s_.timer_config[i] & kLevel) != 0;
    if (level) s_.status |= uint64_t{1} << i;
    changes[count++] = {GsiOf(i), !level, true};
  }
  s_.served_tick = tick;
}

}  // namespace hv::timer
