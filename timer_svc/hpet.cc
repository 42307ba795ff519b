#include "timer_svc/hpet.h"

#include <algorithm>

#include "abi/platform.h"
#include "timer_svc/rate.h"

namespace hv::timer {
namespace {

enum Offset : uint64_t {
  kCapabilities = 0x000,
  kConfiguration = 0x010,
  kStatus = 0x020,
  kCounter = 0x0f0,
  kTimers = 0x100,
};
enum TimerOffset : uint64_t { kTimerConfig = 0x00, kComparator = 0x08, kTimerBytes = 0x20 };

// General capabilities (2.3.4).
constexpr uint64_t kVendor = 0x8086, kRevision = 1, kLegacyCapable = 1u << 15,
                   k64BitCounter = 1u << 13;
// General configuration (2.3.5).
constexpr uint64_t kEnable = 1u << 0, kLegacy = 1u << 1;
// Timer configuration and capabilities (2.3.8).
constexpr uint64_t kLevel = 1u << 1, kInterruptEnable = 1u << 2, kPeriodic = 1u << 3,
                   kPeriodicCapable = 1u << 4, k64BitTimer = 1u << 5, kSetValue = 1u << 6,
                   k32BitMode = 1u << 8;
constexpr int kRouteShift = 9;
constexpr uint64_t kRouteMask = 0x1full << kRouteShift;
constexpr uint64_t kWritable =
    kLevel | kInterruptEnable | kPeriodic | kSetValue | k32BitMode | kRouteMask;
// Inputs a timer may be routed to: those of no ISA device.
constexpr uint64_t kRoutes = 0x00f00000;

constexpr uint64_t kHz = 1'000'000'000'000'000 / HV_HPET_PERIOD_FS;
constexpr uint64_t kShortestPeriodTicks = TicksIn(kShortestPeriodNs, kHz);
constexpr uint64_t kStatusMask = (1u << kHpetTimers) - 1;

bool RouteExists(uint64_t timer_config) {
  return (kRoutes >> ((timer_config & kRouteMask) >> kRouteShift) & 1) != 0;
}

}  // namespace

bool Hpet::enabled() const { return (s_.config & kEnable) != 0; }
bool Hpet::legacy_routing() const { return enabled() && (s_.config & kLegacy) != 0; }

bool Hpet::Valid(const HpetState& state) {
  const auto valid = [](uint64_t config) {
    return (config & ~kWritable) == 0 && ((config & kRouteMask) == 0 || RouteExists(config));
  };
  return (state.config & ~(kEnable | kLegacy)) == 0 && (state.status & ~kStatusMask) == 0 &&
         std::all_of(state.timer_config, state.timer_config + kHpetTimers, valid);
}

uint64_t Hpet::Counter(uint64_t tick) const {
  return enabled() ? s_.counter_base + (tick - s_.base_tick) : s_.counter_base;
}

// The GSI of a timer as a set; empty while it has no route. Legacy replacement: timer 0 is IRQ 0,
// timer 1 the RTC's IRQ 8 (2.3.5).
uint32_t Hpet::LineOf(int timer) const {
  if (legacy_routing() && timer == 0) return 1u << HV_GSI_PIT;
  if (legacy_routing() && timer == 1) return 1u << HV_GSI_RTC;
  const uint64_t config = s_.timer_config[timer];
  return RouteExists(config) ? 1u << ((config & kRouteMask) >> kRouteShift) : 0;
}

uint32_t Hpet::Lines() const {
  uint32_t lines = 0;
  for (int i = 0; i < kHpetTimers && enabled(); ++i) {
    const bool asks = (s_.status >> i & 1) != 0 && Has(i, kLevel) && Has(i, kInterruptEnable);
    if (asks) lines |= LineOf(i);
  }
  return lines;
}

uint64_t Hpet::ReadRegister(uint64_t offset, uint64_t tick) const {
  switch (offset) {
    case kCapabilities:
      return uint64_t{HV_HPET_PERIOD_FS} << 32 | kVendor << 16 | kLegacyCapable | k64BitCounter |
             (kHpetTimers - 1) << 8 | kRevision;
    case kConfiguration: return s_.config;
    case kStatus: return s_.status;
    case kCounter: return Counter(tick);
    default: break;
  }
  if (offset < kTimers || offset >= kTimers + kHpetTimers * kTimerBytes) return 0;
  const auto timer = static_cast<int>((offset - kTimers) / kTimerBytes);
  switch (offset % kTimerBytes) {
    case kTimerConfig:
      return s_.timer_config[timer] | kPeriodicCapable | k64BitTimer | kRoutes << 32;
    case kComparator: return s_.comparator[timer];
    default: return 0;  // messages to the front-side bus are not offered
  }
}

uint64_t Hpet::Read(uint64_t offset, uint32_t width, uint64_t tick) const {
  const uint64_t value = ReadRegister(offset & ~7ull, tick) >> (8 * (offset & 7));
  return width >= 8 ? value : value & ((uint64_t{1} << (8 * width)) - 1);
}

void Hpet::Write(uint64_t offset, uint32_t width, uint64_t value, uint64_t tick) {
  if ((width != 4 && width != 8) || offset % width != 0) return;
  const uint64_t ones = width == 8 ? ~uint64_t{0} : 0xffffffffull;
  const int shift = (offset & 4) != 0 ? 32 : 0;
  WriteRegister(offset & ~7ull, (value & ones) << shift, ones << shift, tick);
}

void Hpet::WriteRegister(uint64_t offset, uint64_t value, uint64_t mask, uint64_t tick) {
  switch (offset) {
    case kConfiguration: return WriteConfig((s_.config & ~mask) | value, tick);
    case kStatus: s_.status &= ~value; return;
    case kCounter:
      if (!enabled()) s_.counter_base = (s_.counter_base & ~mask) | value;  // only while halted
      return;
    default: break;
  }
  if (offset < kTimers || offset >= kTimers + kHpetTimers * kTimerBytes) return;
  const auto timer = static_cast<int>((offset - kTimers) / kTimerBytes);
  if (offset % kTimerBytes == kTimerConfig) {
    WriteTimerConfig(timer, (s_.timer_config[timer] & ~mask) | value);
  } else if (offset % kTimerBytes == kComparator) {
    WriteComparator(timer, value, mask);
  }
}

void Hpet::WriteConfig(uint64_t next, uint64_t tick) {
  next &= kEnable | kLegacy;
  if (((next ^ s_.config) & kEnable) != 0) {
    s_.counter_base = Counter(tick);
    s_.base_tick = s_.served_tick = tick;
  }
  s_.config = next;
}

void Hpet::WriteTimerConfig(int timer, uint64_t next) {
  next &= kWritable;
  // A route that is not offered does not read back as written (2.3.8, Tn_INT_ROUTE_CNF).
  if (!RouteExists(next)) next &= ~kRouteMask;
  if ((next & kPeriodic) == 0) next &= ~kSetValue;
  s_.timer_config[timer] = next;
  if ((next & k32BitMode) != 0) {
    s_.comparator[timer] &= 0xffffffffu;
    s_.period[timer] &= 0xffffffffu;
  }
}

// While periodic, the period is the value written last; the accumulator takes it too when
// Tn_VAL_SET_CNF asks for that, which lasts for one write (2.3.9.2.2).
void Hpet::WriteComparator(int timer, uint64_t value, uint64_t mask) {
  if (Has(timer, k32BitMode)) mask &= 0xffffffffu;
  value &= mask;
  const bool periodic = Has(timer, kPeriodic);
  if (!periodic || Has(timer, kSetValue)) {
    s_.comparator[timer] = (s_.comparator[timer] & ~mask) | value;
  }
  if (periodic) s_.period[timer] = (s_.period[timer] & ~mask) | value;
  s_.timer_config[timer] &= ~kSetValue;
}

// The first tick after `after` at which the counter equals the comparator.
uint64_t Hpet::MatchTick(int timer, uint64_t after) const {
  if (!enabled()) return kNever;
  uint64_t ahead = s_.comparator[timer] - Counter(after);
  if (Has(timer, k32BitMode)) {
    ahead &= 0xffffffffu;
    if (ahead == 0) ahead = uint64_t{1} << 32;
  }
  // A 64-bit comparator in the past matches after the counter has wrapped: not in this life.
  if (ahead == 0 || ahead > INT64_MAX || after > INT64_MAX) return kNever;
  return after + ahead;
}

uint64_t Hpet::NextEvent(uint64_t tick) const {
  uint64_t next = kNever;
  const uint64_t from = std::max(tick, s_.served_tick);
  for (int i = 0; i < kHpetTimers; ++i) {
    if (!Has(i, kInterruptEnable)) continue;
    const uint64_t match = MatchTick(i, from);
    if (match == kNever) continue;
    const bool fast = Has(i, kPeriodic) && s_.period[i] < kShortestPeriodTicks;
    next = std::min(next, fast ? std::max(match, from + kShortestPeriodTicks) : match);
  }
  return next;
}

uint32_t Hpet::Advance(uint64_t tick) {
  uint32_t edges = 0;
  if (!enabled() || tick <= s_.served_tick) return edges;
  for (int i = 0; i < kHpetTimers; ++i) {
    const uint64_t match = MatchTick(i, s_.served_tick);
    if (match > tick) continue;
    if (Has(i, kPeriodic) && s_.period[i] != 0) {
      const uint64_t periods = (tick - match) / s_.period[i] + 1;
      s_.comparator[i] += periods * s_.period[i];
      if (Has(i, k32BitMode)) s_.comparator[i] &= 0xffffffffu;
    }
    if (Has(i, kLevel)) {
      s_.status |= uint64_t{1} << i;
    } else if (Has(i, kInterruptEnable)) {
      edges |= LineOf(i);
    }
  }
  s_.served_tick = tick;
  return edges;
}

}  // namespace hv::timer
