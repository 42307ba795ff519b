// The CMOS real-time clock (Motorola MC146818A datasheet) with the PC's century byte.
#pragma once

#include <cstdint>

namespace hv::timer {

// Plain data. The time of day is the machine's clock plus an offset the guest may change.
struct RtcState {
  int64_t offset_ns;        // RTC time = wall clock + offset
  uint64_t periodic_served; // machine time up to which periodic interrupts have been served
  uint64_t second_served;   // RTC seconds up to which updates and alarms have been served
  uint8_t index;            // port 70H; bit 7 is the NMI mask of the PC
  uint8_t cmos[128];
  uint8_t line;
  uint8_t reserved[6];
};

class Rtc {
 public:
  // `realtime_base_ns`: wall-clock time (Unix) at machine time 0.
  Rtc(RtcState& state, int64_t realtime_base_ns) : s_(state), base_ns_(realtime_base_ns) {}

  void Reset(uint64_t now_ns);
  // Ports 70H and 71H.
  uint8_t Read(uint16_t port, uint64_t now_ns);
  void Write(uint16_t port, uint8_t value, uint64_t now_ns);
  // Machine time of the next interrupt that is enabled; UINT64_MAX: none.
  uint64_t NextEvent(uint64_t now_ns) const;
  // Serves what has come due.
  void Advance(uint64_t now_ns);
  // The level of IRQ 8.
  bool line() const { return s_.line != 0; }

 private:
  int64_t TimeNs(uint64_t now_ns) const;
  void UpdateLine();
  uint8_t ReadClock(uint8_t index, uint64_t now_ns) const;
  void WriteClock(uint8_t index, uint8_t value, uint64_t now_ns);
  uint8_t Encode(int value) const;
  int Decode(uint8_t value) const;
  bool AlarmMatches(int64_t second) const;
  uint64_t PeriodNs() const;
  bool stopped() const;

  RtcState& s_;
  int64_t base_ns_;
};

}  // namespace hv::timer
