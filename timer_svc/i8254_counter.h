// One counter of the 8254: its six modes as arithmetic on ticks of its clock (Intel 8254 datasheet,
// 231164-005).
#pragma once

#include <cstdint>

namespace hv::timer {

// Plain data: lives in the state segment. Nothing is stored that moves by itself.
struct CounterState {
  uint64_t start_tick;   // the count in force would have been loaded then (modulo 2^64)
  uint64_t held_ticks;   // counted when the gate fell, while it is low
  uint64_t served_tick;  // the output's rises up to this tick are in `risen`
  uint32_t reload;       // count in force: 1 to 10000H (or 10000 in BCD)
  uint32_t next_reload;  // count written while another is running; 0: none
  uint16_t latched;
  uint8_t mode;    // 0 to 5
  uint8_t access;  // 1 low, 2 high, 3 low then high
  uint8_t bcd;
  uint8_t gate;
  uint8_t loaded;  // a count has been written since the control word
  uint8_t write_high_next, write_low;
  uint8_t read_high_next;
  uint8_t latch_count;  // bytes of the latched count yet to be read
  uint8_t status_latched, status;
  uint8_t triggered;  // modes 1 and 5: the gate has risen since the control word
  uint8_t risen;      // the output has risen since it was last asked
  uint8_t reserved[5];
};

// Every call carries the tick it happens at; ticks do not go back.
class Counter {
 public:
  explicit Counter(CounterState& state) : s_(state) {}

  // Control word, read-back and latch commands.
  void SetControl(uint8_t control_word, uint64_t tick);
  void LatchCount(uint64_t tick);
  void LatchStatus(uint64_t tick);

  uint8_t Read(uint64_t tick);
  void Write(uint8_t value, uint64_t tick);
  void SetGate(bool gate, uint64_t tick);
  bool Output(uint64_t tick);

  // Whether the output has risen since the last call: once or often is the same.
  bool TakeRise(uint64_t tick);
  // When TakeRise should be called next; kNever: not by time alone.
  uint64_t NextEvent(uint64_t tick);

 private:
  bool Repeats() const { return s_.mode == 2 || s_.mode == 3; }
  bool GateTriggers() const { return s_.mode == 1 || s_.mode == 5; }
  bool Counting() const;
  uint64_t Elapsed(uint64_t tick) const;
  uint64_t HighTicks(uint64_t count) const;
  uint64_t ReloadTick() const;
  uint64_t RisesUpTo(uint64_t tick) const;
  bool OutputAt(uint64_t elapsed) const;
  uint16_t Count(uint64_t tick) const;
  void Load(uint16_t value, uint64_t tick);
  void CatchUp(uint64_t tick);

  CounterState& s_;
};

}  // namespace hv::timer
