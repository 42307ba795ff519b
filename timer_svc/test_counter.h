// The fixture of the 8254 counter's tests: one counter, programmed by bytes, seen tick by tick.
#pragma once

#include <cstdint>
#include <string>

#include "gtest/gtest.h"
#include "timer_svc/i8254_counter.h"
#include "timer_svc/rate.h"

namespace hv::timer {

inline constexpr uint64_t kT = 1000;  // when counts are written

class CounterTest : public testing::Test {
 protected:
  CounterTest() { state_.gate = 1; }

  void Control(int mode, bool bcd = false, int access = 3) {
    counter_.SetControl(static_cast<uint8_t>(access << 4 | mode << 1 | (bcd ? 1 : 0)), kT);
  }
  void Count(uint16_t count, uint64_t tick = kT) {
    counter_.Write(static_cast<uint8_t>(count), tick);
    counter_.Write(static_cast<uint8_t>(count >> 8), tick);
  }
  void Program(int mode, uint16_t count, bool bcd = false) {
    Control(mode, bcd);
    Count(count);
  }
  uint16_t Read(uint64_t tick) {
    counter_.LatchCount(tick);
    const uint8_t low = counter_.Read(tick);
    return static_cast<uint16_t>(low | counter_.Read(tick) << 8);
  }
  uint8_t Status(uint64_t tick) {
    counter_.LatchStatus(tick);
    return counter_.Read(tick);
  }
  // The output from `from` on, a character a tick: H or L.
  std::string Wave(uint64_t from, int ticks) {
    std::string wave;
    for (int i = 0; i < ticks; ++i)
      wave += counter_.Output(from + static_cast<uint64_t>(i)) ? 'H' : 'L';
    return wave;
  }

  CounterState state_{};
  Counter counter_{state_};
};

}  // namespace hv::timer
