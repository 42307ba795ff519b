// The high-precision event timer (IA-PC HPET specification 1.0a): a 64-bit main counter and three
// comparators.
#pragma once

#include <cstdint>

namespace hv::timer {

inline constexpr int kHpetTimers = 3;

// Plain data. The counter is arithmetic on the tick at which it was enabled or set.
struct HpetState {
  uint64_t config;          // general configuration
  uint64_t status;          // general interrupt status: level interrupts standing
  uint64_t counter_base;    // counter value at base_tick, or while disabled
  uint64_t base_tick;
  uint64_t timer_config[kHpetTimers];
  uint64_t comparator[kHpetTimers];
  uint64_t period[kHpetTimers];      // of periodic timers
  uint64_t served_tick;              // matches up to this tick have been served
};

// A change of an interrupt line.
struct LineChange {
  uint32_t gsi;
  bool pulse;  // edge: up and down; else `level`
  bool level;
};

class Hpet {
 public:
  static constexpr int kMaxChanges = 2 * kHpetTimers;

  explicit Hpet(HpetState& state) : s_(state) {}

  void Reset() { s_ = {}; }

  // Aligned 32- and 64-bit accesses by offset. Writes may lower lines: appended to `changes`.
  uint64_t Read(uint64_t offset, uint32_t width, uint64_t tick) const;
  void Write(uint64_t offset, uint32_t width, uint64_t value, uint64_t tick, LineChange* changes,
             int& count);
  // The tick of the next match; UINT64_MAX: none.
  uint64_t NextMatch(uint64_t tick) const;
  // Serves the matches up to `tick`.
  void Advance(uint64_t tick, LineChange* changes, int& count);

  bool legacy_routing() const;
  bool enabled() const;

 private:
  uint64_t Counter(uint64_t tick) const;
  uint64_t ReadRegister(uint64_t offset, uint64_t tick) const;
  void WriteRegister(uint64_t offset, uint64_t value, uint64_t mask, uint64_t tick,
                     LineChange* changes, int& count);
  uint64_t MatchTick(int timer, uint64_t after) const;
  uint32_t GsiOf(int timer) const;
  bool Is32Bit(int timer) const;

  HpetState& s_;
};

}  // namespace hv::timer
