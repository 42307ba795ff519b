// The 8254 programmable interval timer of a PC: three counters behind ports 40H to 43H, and the
// speaker port 61H that holds the gate of the third (Intel 8254 datasheet, 231164-005).
#pragma once

#include <cstdint>

#include "timer_svc/i8254_counter.h"

namespace hv::timer {

// Plain data: lives in the state segment.
struct I8254State {
  CounterState counter[3];
  uint8_t speaker;  // bits 1:0 of port 61H
  uint8_t reserved[7];
};

class I8254 {
 public:
  explicit I8254(I8254State& state) : s_(state) {}

  // No counter counts until it is programmed; the gate of counter 2 is low.
  void Reset();

  // Ports 40H to 43H and 61H. Ticks are of the 1.193182 MHz input clock.
  uint8_t Read(uint16_t port, uint64_t tick);
  void Write(uint16_t port, uint8_t value, uint64_t tick);
  static bool Has(uint16_t port);

  // Counter 0, whose output is IRQ 0: see Counter.
  bool TakeRise(uint64_t tick) { return Counter(s_.counter[0]).TakeRise(tick); }
  uint64_t NextEvent(uint64_t tick) { return Counter(s_.counter[0]).NextEvent(tick); }

 private:
  void WriteControl(uint8_t value, uint64_t tick);

  I8254State& s_;
};

}  // namespace hv::timer
