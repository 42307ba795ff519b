// The high-precision event timer (IA-PC HPET specification 1.0a): a 64-bit main counter and three
// comparators, each able to repeat.
#pragma once

#include <cstdint>

namespace hv::timer {

inline constexpr int kHpetTimers = 3;

// Plain data: lives in the state segment. The counter is arithmetic on the tick at which it was
// enabled or set.
struct HpetState {
  uint64_t config;        // general configuration
  uint64_t status;        // general interrupt status
  uint64_t counter_base;  // counter value at base_tick, or while halted
  uint64_t base_tick;
  uint64_t served_tick;  // matches up to this tick have been served
  uint64_t timer_config[kHpetTimers];
  uint64_t comparator[kHpetTimers];
  uint64_t period[kHpetTimers];  // last value written while periodic
};

// Ticks are of the counter's clock since machine time 0. Interrupts are sets of GSIs, a bit each.
class Hpet {
 public:
  explicit Hpet(HpetState& state) : s_(state) {}

  void Reset() { s_ = {}; }

  // Accesses by offset. Reads of parts of a register give that part; writes are of aligned 32 or 64
  // bits, and others are ignored (2.1).
  uint64_t Read(uint64_t offset, uint32_t width, uint64_t tick) const;
  void Write(uint64_t offset, uint32_t width, uint64_t value, uint64_t tick);

  // Serves the matches up to `tick`: the GSIs whose edge-triggered timers have fired. Periods
  // missed altogether are one edge.
  uint32_t Advance(uint64_t tick);
  // The GSIs that level-triggered timers hold up.
  uint32_t Lines() const;
  // When Advance is to be called next for an interrupt's sake; kNever: not by time alone.
  uint64_t NextEvent(uint64_t tick) const;

  bool legacy_routing() const;

  // What a state from elsewhere may hold in its registers.
  static bool Valid(const HpetState& state);

 private:
  bool enabled() const;
  uint64_t Counter(uint64_t tick) const;
  uint64_t ReadRegister(uint64_t offset, uint64_t tick) const;
  void WriteRegister(uint64_t offset, uint64_t value, uint64_t mask, uint64_t tick);
  void WriteConfig(uint64_t next, uint64_t tick);
  void WriteTimerConfig(int timer, uint64_t next);
  void WriteComparator(int timer, uint64_t value, uint64_t mask);
  uint64_t MatchTick(int timer, uint64_t after) const;
  uint32_t LineOf(int timer) const;
  bool Has(int timer, uint64_t bit) const { return (s_.timer_config[timer] & bit) != 0; }

  HpetState& s_;
};

}  // namespace hv::timer
