#include "timer_svc/i8254_counter.h"

#include <algorithm>

#include "abi/platform.h"
#include "timer_svc/rate.h"

namespace hv::timer {
namespace {

constexpr uint64_t kShortestPeriodTicks = TicksIn(kShortestPeriodNs, HV_PIT_HZ);
constexpr uint32_t kBinaryWrap = 0x10000, kBcdWrap = 10000;
constexpr uint8_t kAccessLow = 1, kAccessHigh = 2, kAccessBoth = 3;
// Status byte (read-back command).
constexpr uint8_t kStatusOutput = 1u << 7, kStatusNullCount = 1u << 6;

uint16_t ToBcd(uint64_t value) {
  return static_cast<uint16_t>(value / 1000 % 10 << 12 | value / 100 % 10 << 8 |
                               value / 10 % 10 << 4 | value % 10);
}
uint32_t FromBcd(uint16_t value) {
  return (value >> 12) * 1000u + (value >> 8 & 15) * 100u + (value >> 4 & 15) * 10u + (value & 15);
}

}  // namespace

bool Counter::Counting() const {
  if (s_.loaded == 0) return false;
  return GateTriggers() ? s_.triggered != 0 : s_.gate != 0;
}

// Ticks that the count in force has been counting.
uint64_t Counter::Elapsed(uint64_t tick) const {
  if (!Counting()) return s_.loaded != 0 && !GateTriggers() ? s_.held_ticks : 0;
  return std::max<int64_t>(static_cast<int64_t>(tick - s_.start_tick), 0);
}

// Mode 3: how long the output is high in each period of `count`.
uint64_t Counter::HighTicks(uint64_t count) const { return (count + 1) / 2; }

// When a count written meanwhile comes into force: at the end of the period, in mode 3 of its half.
uint64_t Counter::ReloadTick() const {
  const uint64_t into = Elapsed(s_.served_tick) % s_.reload;
  const uint64_t high = HighTicks(s_.reload);
  const uint64_t end = s_.mode == 3 && into < high ? high : s_.reload;
  return s_.served_tick + (end - into);
}

// Rises of the output since the count in force was loaded.
uint64_t Counter::RisesUpTo(uint64_t tick) const {
  const uint64_t elapsed = Elapsed(tick);
  if (Repeats()) return elapsed / s_.reload;
  const uint64_t rise = s_.mode <= 1 ? s_.reload : s_.reload + uint64_t{1};
  return elapsed >= rise ? 1 : 0;
}

void Counter::CatchUp(uint64_t tick) {
  if (tick <= s_.served_tick) return;
  if (Counting() && Repeats() && s_.next_reload != 0) {
    if (const uint64_t at = ReloadTick(); at <= tick) {
      const uint64_t into = Elapsed(at) % s_.reload;
      if (RisesUpTo(at) > RisesUpTo(s_.served_tick)) s_.risen = 1;
      s_.reload = s_.next_reload;
      s_.next_reload = 0;
      // The low half of a new mode 3 count follows its high half, which the old count has had.
      s_.start_tick = into == 0 ? at : at - HighTicks(s_.reload);
      s_.served_tick = at;
    }
  }
  if (RisesUpTo(tick) > RisesUpTo(s_.served_tick)) s_.risen = 1;
  s_.served_tick = tick;
}

bool Counter::TakeRise(uint64_t tick) {
  CatchUp(tick);
  const bool risen = s_.risen != 0;
  s_.risen = 0;
  return risen;
}

uint64_t Counter::NextEvent(uint64_t tick) {
  CatchUp(tick);
  if (!Counting()) return kNever;
  const uint64_t now = s_.served_tick;
  if (Repeats()) {
    const uint64_t next =
        s_.next_reload != 0 ? ReloadTick() : now + (s_.reload - Elapsed(now) % s_.reload);
    return s_.reload < kShortestPeriodTicks ? std::max(next, now + kShortestPeriodTicks) : next;
  }
  if (RisesUpTo(now) != 0) return kNever;
  return now + (s_.mode <= 1 ? s_.reload : s_.reload + uint64_t{1}) - Elapsed(now);
}

bool Counter::OutputAt(uint64_t elapsed) const {
  switch (s_.mode) {
    case 0: return elapsed >= s_.reload;
    case 1: return !Counting() || elapsed >= s_.reload;
    // The gate forces the output high in modes 2 and 3.
    case 2: return !Counting() || elapsed % s_.reload != s_.reload - uint64_t{1};
    case 3: return !Counting() || elapsed % s_.reload < HighTicks(s_.reload);
    default: return !Counting() || elapsed != s_.reload;  // strobes: low for one clock
  }
}

bool Counter::Output(uint64_t tick) {
  CatchUp(tick);
  return s_.loaded == 0 ? s_.mode != 0 : OutputAt(Elapsed(tick));
}

uint16_t Counter::Count(uint64_t tick) const {
  const uint64_t elapsed = Elapsed(tick);
  const uint64_t wrap = s_.bcd != 0 ? kBcdWrap : kBinaryWrap;
  uint64_t count;
  if (s_.mode == 2) {
    count = s_.reload - elapsed % s_.reload;
  } else if (s_.mode == 3) {
    // Down by two from the even count, twice a period; an odd count lasts a clock longer while
    // high.
    count = (s_.reload - elapsed * 2 % s_.reload) & ~uint64_t{1};
  } else {
    count = s_.reload + wrap - elapsed % wrap;  // and on below zero
  }
  count %= wrap;
  return s_.bcd != 0 ? ToBcd(count) : static_cast<uint16_t>(count);
}

void Counter::LatchCount(uint64_t tick) {
  CatchUp(tick);
  if (s_.latch_count != 0) return;  // the first latch holds until it is read
  s_.latched = Count(tick);
  s_.latch_count = s_.access == kAccessBoth ? 2 : 1;
}

void Counter::LatchStatus(uint64_t tick) {
  if (s_.status_latched != 0) return;
  const bool output = Output(tick);
  const bool null_count =
      s_.loaded == 0 || s_.next_reload != 0 || (GateTriggers() && s_.triggered == 0);
  s_.status =
      static_cast<uint8_t>((output ? kStatusOutput : 0) | (null_count ? kStatusNullCount : 0) |
                           s_.access << 4 | s_.mode << 1 | s_.bcd);
  s_.status_latched = 1;
}

void Counter::SetControl(uint8_t control_word, uint64_t tick) {
  CatchUp(tick);
  CounterState fresh{};
  fresh.gate = s_.gate;
  fresh.risen = s_.risen;
  fresh.served_tick = s_.served_tick;
  fresh.access = control_word >> 4 & 3;
  fresh.mode = control_word >> 1 & 7;
  if (fresh.mode > 5) fresh.mode -= 4;  // 6 and 7 are 2 and 3
  fresh.bcd = control_word & 1;
  fresh.reload = fresh.bcd != 0 ? kBcdWrap : kBinaryWrap;
  s_ = fresh;
}

void Counter::Load(uint16_t value, uint64_t tick) {
  uint32_t count = s_.bcd != 0 ? FromBcd(value) : value;
  if (count == 0) count = s_.bcd != 0 ? kBcdWrap : kBinaryWrap;
  // A running period or one-shot ends as it began; modes 0 and 4 start over at once.
  if (Counting() && s_.mode != 0 && s_.mode != 4) {
    s_.next_reload = count;
    return;
  }
  s_.reload = count;
  s_.next_reload = 0;
  s_.loaded = 1;
  s_.start_tick = tick;
  s_.held_ticks = 0;
}

void Counter::Write(uint8_t value, uint64_t tick) {
  CatchUp(tick);
  if (s_.access == kAccessLow) return Load(value, tick);
  if (s_.access == kAccessHigh) return Load(static_cast<uint16_t>(value << 8), tick);
  s_.write_high_next ^= 1;
  if (s_.write_high_next == 0) {
    Load(static_cast<uint16_t>(value << 8 | s_.write_low), tick);
    return;
  }
  s_.write_low = value;
  if (s_.mode == 0) s_.loaded = 0;  // the first byte stops the count and lowers the output
}

uint8_t Counter::Read(uint64_t tick) {
  CatchUp(tick);
  if (s_.status_latched != 0) {
    s_.status_latched = 0;
    return s_.status;
  }
  const uint16_t count = s_.latch_count != 0 ? s_.latched : Count(tick);
  if (s_.latch_count != 0) --s_.latch_count;
  bool high = s_.access == kAccessHigh;
  if (s_.access == kAccessBoth) {
    high = s_.read_high_next != 0;
    s_.read_high_next ^= 1;
  }
  return static_cast<uint8_t>(high ? count >> 8 : count);
}

// Modes 0 and 4 pause while the gate is low; modes 2 and 3 start over when it rises, with the
// newest count; modes 1 and 5 start when it rises.
void Counter::SetGate(bool gate, uint64_t tick) {
  CatchUp(tick);
  if (gate == (s_.gate != 0)) return;
  if (!gate) {
    s_.held_ticks = GateTriggers() ? 0 : Elapsed(tick);
    s_.gate = 0;
    return;
  }
  s_.gate = 1;
  if (s_.loaded == 0) return;
  if (s_.mode == 0 || s_.mode == 4) {
    s_.start_tick = tick - s_.held_ticks;
  } else {
    if (s_.next_reload != 0) s_.reload = s_.next_reload;
    s_.next_reload = 0;
    s_.start_tick = tick;
    s_.triggered = GateTriggers() ? 1 : 0;
  }
  s_.held_ticks = 0;
}

}  // namespace hv::timer
