#include "timer_svc/rtc.h"

#include <algorithm>

#include "timer_svc/civil_time.h"
#include "timer_svc/rate.h"

namespace hv::timer {
namespace {

enum ControlRegister : uint8_t { kA = 10, kB = 11, kC = 12, kD = 13 };
constexpr uint8_t kUpdateInProgress = 0x80, kDivider = 0x70, kDividerReset = 0x60, kRate = 0x0f;
constexpr uint8_t kDividerNormal = 0x20, kRate1024Hz = 6;
constexpr uint8_t kSet = 0x80, kUpdateEnable = 0x10, kBinary = 0x04, k24Hour = 0x02;
// Bits 6:4 of B enable what bits 6:4 of C flag.
constexpr uint8_t kIrqFlag = 0x80, kPeriodicFlag = 0x40, kAlarmFlag = 0x20, kUpdateFlag = 0x10;
constexpr uint8_t kFlags = kPeriodicFlag | kAlarmFlag | kUpdateFlag;
constexpr uint8_t kValidRam = 0x80;
constexpr uint64_t kUpdateNs = 244'000;  // UIP goes up this long before the second
constexpr uint64_t kOscillatorHz = 32768;
// The first update comes half a second after the divider is let go (table 5).
constexpr uint64_t kAfterResetNs = kNsPerSecond / 2;
constexpr int64_t kSecondsPerDay = 86400;

// Whether the clock runs by registers A and B.
bool Runs(uint8_t a, uint8_t b) { return (b & kSet) == 0 && (a & kDividerReset) != kDividerReset; }

}  // namespace

bool Rtc::running() const { return Runs(s_.cmos[kA], s_.cmos[kB]); }
ClockFormat Rtc::format() const {
  return {.binary = (s_.cmos[kB] & kBinary) != 0, .hours24 = (s_.cmos[kB] & k24Hour) != 0};
}
bool Rtc::line() const { return (s_.cmos[kB] & s_.cmos[kC] & kFlags) != 0; }

int64_t Rtc::WallNs(uint64_t now_ns) const {
  return static_cast<int64_t>(static_cast<uint64_t>(base_ns_) + now_ns + s_.phase_ns);
}
int64_t Rtc::Second(uint64_t now_ns) const {
  return FloorDiv(WallNs(now_ns), kNsPerSecond) + s_.offset_seconds;
}
uint64_t Rtc::IntoSecondNs(uint64_t now_ns) const {
  return static_cast<uint64_t>(FloorMod(WallNs(now_ns), kNsPerSecond));
}

void Rtc::Reset(uint64_t now_ns) {
  s_ = {};
  s_.cmos[kA] = kDividerNormal | kRate1024Hz;
  s_.cmos[kB] = k24Hour;
  s_.cmos[kD] = kValidRam;
  s_.served_ticks = TicksIn(now_ns, kOscillatorHz);
  s_.served_second = Second(now_ns);
}

// From now on the registers hold the time themselves.
void Rtc::Stop(uint64_t now_ns) {
  for (uint8_t index : kClockRegisters) {
    s_.cmos[index] = ShowClock(index, Second(now_ns), format());
  }
}

// The clock goes on from what the registers hold, that far into the second.
void Rtc::Start(uint64_t now_ns, uint64_t into_second_ns) {
  s_.phase_ns = 0;
  const int64_t phase = static_cast<int64_t>(into_second_ns - IntoSecondNs(now_ns));
  s_.phase_ns = static_cast<uint32_t>(FloorMod(phase, kNsPerSecond));
  s_.offset_seconds = 0;
  s_.served_second = ReadClock(s_.cmos, format());
  s_.offset_seconds = s_.served_second - Second(now_ns);
}

uint8_t Rtc::ReadRegister(uint8_t index, uint64_t now_ns) {
  if (IsClockRegister(index)) {
    return running() ? ShowClock(index, Second(now_ns), format()) : s_.cmos[index];
  }
  switch (index) {
    case kA: {
      const bool updating = running() && IntoSecondNs(now_ns) >= kNsPerSecond - kUpdateNs;
      return s_.cmos[kA] | (updating ? kUpdateInProgress : 0);
    }
    case kC: {
      const uint8_t flags = s_.cmos[kC] | (line() ? kIrqFlag : 0);
      s_.cmos[kC] = 0;
      return flags;
    }
    default: return s_.cmos[index];
  }
}

uint8_t Rtc::Read(uint16_t port, uint64_t now_ns) {
  if ((port & 1) == 0) return 0xff;  // the index cannot be read
  Advance(now_ns);
  return ReadRegister(s_.index & 0x7f, now_ns);
}

void Rtc::Write(uint16_t port, uint8_t value, uint64_t now_ns) {
  if ((port & 1) == 0) {
    s_.index = value;
    return;
  }
  Advance(now_ns);
  const uint8_t index = s_.index & 0x7f;
  if (IsClockRegister(index)) {
    const bool was_running = running();
    if (was_running) Stop(now_ns);
    s_.cmos[index] = value;
    if (was_running) Start(now_ns, IntoSecondNs(now_ns));
  } else if (index == kA || index == kB) {
    WriteControl(index, value, now_ns);
  } else if (index != kC && index != kD) {  // those two are read-only
    s_.cmos[index] = value;
  }
}

void Rtc::WriteControl(uint8_t index, uint8_t value, uint64_t now_ns) {
  uint8_t next = value;
  if (index == kA) next &= static_cast<uint8_t>(~kUpdateInProgress);
  // SET clears the enable of the update-ended interrupt (register B).
  if (index == kB && (value & kSet) != 0) next &= static_cast<uint8_t>(~kUpdateEnable);
  const bool was_running = running();
  const bool was_reset = (s_.cmos[kA] & kDividerReset) == kDividerReset;
  const bool runs = Runs(index == kA ? next : s_.cmos[kA], index == kB ? next : s_.cmos[kB]);
  if (was_running && !runs) Stop(now_ns);  // in the format the time was shown in
  s_.cmos[index] = next;
  if (!was_running && runs) Start(now_ns, was_reset ? kAfterResetNs : IntoSecondNs(now_ns));
}

// Ticks of the oscillator between periodic interrupts (table 5); 0: there are none.
uint64_t Rtc::PeriodTicks() const {
  const uint8_t rate = s_.cmos[kA] & kRate;
  if (rate == 0 || (s_.cmos[kA] & kDivider) != kDividerNormal) return 0;
  return uint64_t{1} << (rate < 3 ? rate + 6 : rate - 1);
}

void Rtc::Advance(uint64_t now_ns) {
  // Periodic interrupts are a tap of the divider chain: they come at whole multiples.
  const uint64_t ticks = TicksIn(now_ns, kOscillatorHz);
  if (const uint64_t period = PeriodTicks(); period != 0) {
    if (ticks / period > s_.served_ticks / period) s_.cmos[kC] |= kPeriodicFlag;
  }
  s_.served_ticks = std::max(s_.served_ticks, ticks);
  if (!running()) return;
  const int64_t second = Second(now_ns);
  if (second <= s_.served_second) return;
  s_.cmos[kC] |= kUpdateFlag;
  // A day has every alarm there is.
  int64_t at = std::max(s_.served_second + 1, second - (kSecondsPerDay - 1));
  for (; at <= second && (s_.cmos[kC] & kAlarmFlag) == 0; ++at) {
    if (AlarmMatches(s_.cmos, at, format())) s_.cmos[kC] |= kAlarmFlag;
  }
  s_.served_second = second;
}

uint64_t Rtc::NextEvent(uint64_t now_ns) const {
  uint64_t next = kNever;
  // What is flagged already raises nothing more until register C is read.
  const uint8_t awaited = s_.cmos[kB] & kFlags & static_cast<uint8_t>(~s_.cmos[kC]);
  if (line()) return next;
  if (const uint64_t period = PeriodTicks(); (awaited & kPeriodicFlag) != 0 && period != 0) {
    const uint64_t ticks = TicksIn(now_ns, kOscillatorHz);
    next = NsUntil((ticks / period + 1) * period, kOscillatorHz);
  }
  if ((awaited & (kAlarmFlag | kUpdateFlag)) != 0 && running()) {
    next = std::min(next, now_ns + (kNsPerSecond - IntoSecondNs(now_ns)));
  }
  return next;
}

}  // namespace hv::timer
