// The CMOS real-time clock (Motorola MC146818A datasheet) with the PC's 128 bytes and century byte.
// Its time is the host's wall clock plus an offset that the guest may change.
#pragma once

#include <cstdint>

#include "timer_svc/clock_registers.h"

namespace hv::timer {

// Plain data: lives in the state segment.
struct RtcState {
  int64_t offset_seconds;  // RTC time = wall clock + phase + offset
  uint32_t phase_ns;       // moves the instant at which a second begins; below 10^9
  uint32_t reserved0;
  uint64_t served_ticks;  // oscillator ticks up to which periodic interrupts have been served
  int64_t served_second;  // RTC second up to which updates and alarms have been served
  uint8_t cmos[128];      // clock registers are valid while the clock stands, C without IRQF
  uint8_t index;          // port 70H; bit 7 is the NMI mask of the PC
  uint8_t reserved1[7];
};

class Rtc {
 public:
  // `realtime_base_ns`: wall-clock time (Unix) at machine time 0.
  Rtc(RtcState& state, int64_t realtime_base_ns) : s_(state), base_ns_(realtime_base_ns) {}

  void Reset(uint64_t now_ns);
  // Ports 70H and 71H.
  uint8_t Read(uint16_t port, uint64_t now_ns);
  void Write(uint16_t port, uint8_t value, uint64_t now_ns);

  // Serves what has come due. Periods and seconds missed altogether are one flag.
  void Advance(uint64_t now_ns);
  // Machine time of the next change of line(); kNever: not by time alone.
  uint64_t NextEvent(uint64_t now_ns) const;
  // The level of IRQ 8: IRQF of register C.
  bool line() const;

 private:
  bool running() const;
  ClockFormat format() const;
  int64_t WallNs(uint64_t now_ns) const;
  int64_t Second(uint64_t now_ns) const;
  uint64_t IntoSecondNs(uint64_t now_ns) const;
  uint64_t PeriodTicks() const;
  uint8_t ReadRegister(uint8_t index, uint64_t now_ns);
  void WriteControl(uint8_t index, uint8_t value, uint64_t now_ns);
  void Stop(uint64_t now_ns);
  void Start(uint64_t now_ns, uint64_t into_second_ns);

  RtcState& s_;
  const int64_t base_ns_;
};

}  // namespace hv::timer
