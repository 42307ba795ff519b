#include "timer_svc/i8254.h"

#include "abi/platform.h"

namespace hv::timer {
namespace {

constexpr uint8_t kReadBack = 3;
constexpr uint8_t kSpeakerGate = 1u << 0, kSpeakerData = 1u << 1;
constexpr uint8_t kRefreshToggle = 1u << 4, kSpeakerOutput = 1u << 5;
constexpr uint64_t kRefreshTicks = 18;  // the refresh request toggles every 15 us

uint16_t ToBcd(uint32_t value) {
  return static_cast<uint16_t>(value / 1000 % 10 << 12 | value / 100 % 10 << 8 |
                               value / 10 % 10 << 4 | value % 10);
}
uint32_t FromBcd(uint16_t value) {
  return (value >> 12) * 1000u + (value >> 8 & 15) * 100u + (value >> 4 & 15) * 10u + (value & 15);
}

// Modes 2 and 3 repeat; the others run once.
bool Periodic(const CounterState& c) { return c.mode == 2 || c.mode == 3; }

bool Counting(const CounterState& c) {
  if (c.loaded == 0) return false;
  if (c.mode == 1 || c.mode == 5) return c.triggered != 0;
  return c.gate != 0;
}

}  // namespace

void I8254::Reset() {
  s_ = {};
  for (int i = 0; i < 3; ++i) {
    s_.counter[i].gate = i != 2;
    s_.counter[i].access = 3;
    s_.counter[i].reload = 0x10000;
    s_.counter[i].mode = 3;
  }
}

void I8254::Load(CounterState& c, uint16_t value, uint64_t tick) {
  const uint32_t count = c.bcd != 0 ? FromBcd(value) : value;
  c.reload = count != 0 ? count : c.bcd != 0 ? 10000 : 0x10000;
  c.loaded = 1;
  c.triggered = 0;
  c.start_tick = tick;
  c.served_tick = tick;
}

uint16_t I8254::Count(const CounterState& c, uint64_t tick) const {
  const uint64_t elapsed = Counting(c) ? tick - c.start_tick : 0;
  const uint64_t wrap = c.bcd != 0 ? 10000 : 0x10000;
  uint64_t count;
  if (c.mode == 2) {
    count = c.reload - elapsed % c.reload;
  } else if (c.mode == 3) {  // counts down by two, twice a period
    count = c.reload - elapsed * 2 % c.reload;
    count &= ~uint64_t{1};
  } else {
    count = (c.reload + wrap - elapsed % wrap) % wrap;
  }
  return c.bcd != 0 ? ToBcd(static_cast<uint32_t>(count % 10000)) : static_cast<uint16_t>(count);
}

bool I8254::Output(int counter, uint64_t tick) const {
  const CounterState& c = s_.counter[counter];
  if (c.loaded == 0) return c.mode != 0;
  if (!Counting(c)) return c.mode != 0;
  const uint64_t elapsed = tick - c.start_tick;
  switch (c.mode) {
    case 0: return elapsed >= c.reload;
    case 1: return elapsed >= c.reload;
    case 2: return elapsed % c.reload != c.reload - 1u;
    case 3: return elapsed % c.reload < (c.reload + 1u) / 2;
    default: return elapsed != c.reload;  // strobes: low for one clock
  }
}

// Rising edges of the output in (start, tick].
uint64_t I8254::RisesUpTo(const CounterState& c, uint64_t tick) const {
  if (!Counting(c) || tick <= c.start_tick) return 0;
  const uint64_t elapsed = tick - c.start_tick;
  if (Periodic(c)) return elapsed / c.reload;
  const uint64_t rise = c.mode <= 1 ? c.reload : c.reload + 1ull;
  return elapsed >= rise ? 1 : 0;
}

uint64_t I8254::NextRise(uint64_t tick) const {
  const CounterState& c = s_.counter[0];
  if (!Counting(c)) return UINT64_MAX;
  const uint64_t rises = RisesUpTo(c, tick);
  if (Periodic(c)) return c.start_tick + (rises + 1) * c.reload;
  if (rises != 0) return UINT64_MAX;
  return c.start_tick + (c.mode <= 1 ? c.reload : c.reload + 1ull);
}

uint64_t I8254::TakeRises(uint64_t tick) {
  CounterState& c = s_.counter[0];
  const uint64_t rises = RisesUpTo(c, tick) - RisesUpTo(c, c.served_tick);
  c.served_tick = tick;
  return rises;
}

uint8_t I8254::Status(const CounterState& c, uint64_t tick) const {
  const int index = static_cast<int>(&c - s_.counter);
  return static_cast<uint8_t>((Output(index, tick) ? 0x80 : 0) | (c.loaded != 0 ? 0 : 0x40) |
                              c.access << 4 | c.mode << 1 | c.bcd);
}

void I8254::WriteControl(uint8_t value, uint64_t tick) {
  const uint8_t select = value >> 6;
  if (select == kReadBack) {
    for (int i = 0; i < 3; ++i) {
      CounterState& c = s_.counter[i];
      if ((value >> (i + 1) & 1) == 0) continue;
      if ((value & 0x10) == 0 && c.status_latched == 0) {
        c.status = Status(c, tick);
        c.status_latched = 1;
      }
      if ((value & 0x20) == 0 && c.latch_count == 0) {
        c.latched = Count(c, tick);
        c.latch_count = c.access == 3 ? 2 : 1;
      }
    }
    return;
  }
  CounterState& c = s_.counter[select];
  const uint8_t access = value >> 4 & 3;
  if (access == 0) {
    if (c.latch_count == 0) {
      c.latched = Count(c, tick);
      c.latch_count = c.access == 3 ? 2 : 1;
    }
    return;
  }
  const uint8_t gate = c.gate;
  c = {};
  c.gate = gate;
  c.access = access;
  c.mode = value >> 1 & 7;
  if (c.mode > 5) c.mode -= 4;  // 6 and 7 are 2 and 3
  c.bcd = value & 1;
  c.reload = 0x10000;
  c.start_tick = c.served_tick = tick;
}

void I8254::WriteCount(CounterState& c, uint8_t value, uint64_t tick) {
  switch (c.access) {
    case 1: Load(c, value, tick); return;
    case 2: Load(c, static_cast<uint16_t>(value << 8), tick); return;
    default: break;
  }
  if (c.write_high_next == 0) {
    c.write_low = value;
    c.write_high_next = 1;
    if (c.mode == 0) c.loaded = 0;  // the first byte stops the count
    return;
  }
  c.write_high_next = 0;
  Load(c, static_cast<uint16_t>(value << 8 | c.write_low), tick);
}

uint8_t I8254::ReadCount(CounterState& c, uint64_t tick) {
  if (c.status_latched != 0) {
    c.status_latched = 0;
    return c.status;
  }
  const uint16_t count = c.latch_count != 0 ? c.latched : Count(c, tick);
  if (c.latch_count != 0) --c.latch_count;
  if (c.access == 1) return static_cast<uint8_t>(count);
  if (c.access == 2) return static_cast<uint8_t>(count >> 8);
  c.read_high_next ^= 1;
  return static_cast<uint8_t>(c.read_high_next != 0 ? count : count >> 8);
}

// A rising gate starts modes 1 and 5 and starts modes 2 and 3 over; a low gate holds the others.
void I8254::SetGate(CounterState& c, bool gate, uint64_t tick) {
  const bool rising = gate && c.gate == 0;
  c.gate = gate ? 1 : 0;
  if (!rising) return;
  if (c.mode == 1 || c.mode == 5) c.triggered = 1;
  c.start_tick = c.served_tick = tick;
}

uint8_t I8254::Read(uint16_t port, uint64_t tick) {
  if (port == HV_PORT_SPEAKER) {
    const uint8_t refresh = (tick / kRefreshTicks & 1) != 0 ? kRefreshToggle : 0;
    return static_cast<uint8_t>(s_.speaker | refresh | (Output(2, tick) ? kSpeakerOutput : 0));
  }
  if (port == HV_PORT_PIT + 3) return 0xff;  // the control word cannot be read
  return ReadCount(s_.counter[port - HV_PORT_PIT], tick);
}

void I8254::Write(uint16_t port, uint8_t value, uint64_t tick) {
  if (port == HV_PORT_SPEAKER) {
    s_.speaker = value & (kSpeakerGate | kSpeakerData);
    SetGate(s_.counter[2], (value & kSpeakerGate) != 0, tick);
  } else if (port == HV_PORT_PIT + 3) {
    WriteControl(value, tick);
  } else {
    WriteCount(s_.counter[port - HV_PORT_PIT], value, tick);
  }
}

}  // namespace hv::timer
