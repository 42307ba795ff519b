// The 8254 programmable interval timer of a PC with speaker port 61H (Intel 8254 datasheet).
#pragma once

#include <cstdint>

namespace hv::timer {

// One counter. Plain data. Counting is arithmetic on the tick at which the count was loaded.
struct CounterState {
  uint64_t start_tick;   // input clock tick at which the count in force was loaded
  uint64_t served_tick;  // output edges up to this tick have been reported (counter 0)
  uint32_t reload;       // count in force: 1 to 10000H (or 10000 in BCD)
  uint16_t latched;
  uint8_t mode;          // 0 to 5
  uint8_t access;        // 1 low, 2 high, 3 low then high
  uint8_t bcd;
  uint8_t gate;
  uint8_t loaded;        // a count has been written since the control word
  uint8_t write_high_next, write_low;
  uint8_t read_high_next;
  uint8_t latch_count;   // bytes of the latched count yet to be read
  uint8_t status_latched, status;
  uint8_t triggered;     // modes 1 and 5: the gate has risen since the count was written
  uint8_t reserved;
};

struct I8254State {
  CounterState counter[3];
  uint8_t speaker;  // bits 1:0 of port 61H
  uint8_t reserved[7];
};

class I8254 {
 public:
  explicit I8254(I8254State& state) : s_(state) {}

  void Reset();

  // Ports 40H to 43H and 61H. Ticks are of the 1.193182 MHz input clock.
  uint8_t Read(uint16_t port, uint64_t tick);
  void Write(uint16_t port, uint8_t value, uint64_t tick);

  // Counter 0's output at `tick`, and when it rises next after `tick`; UINT64_MAX: never.
  bool Output(int counter, uint64_t tick) const;
  uint64_t NextRise(uint64_t tick) const;
  // Rises in (served, tick], which this call marks as served.
  uint64_t TakeRises(uint64_t tick);

 private:
  void WriteControl(uint8_t value, uint64_t tick);
  void WriteCount(CounterState& c, uint8_t value, uint64_t tick);
  uint8_t ReadCount(CounterState& c, uint64_t tick);
  void Load(CounterState& c, uint16_t value, uint64_t tick);
  uint16_t Count(const CounterState& c, uint64_t tick) const;
  uint8_t Status(const CounterState& c, uint64_t tick) const;
  void SetGate(CounterState& c, bool gate, uint64_t tick);
  uint64_t RisesUpTo(const CounterState& c, uint64_t tick) const;

  I8254State& s_;
};

}  // namespace hv::timer
