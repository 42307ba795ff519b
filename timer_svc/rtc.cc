#include "timer_svc/rtc.h"

#include <algorithm>

#include "timer_svc/rate.h"

namespace hv::timer {
namespace {

// Registers (MC146818A, figure 10).
enum Index : uint8_t {
  kSeconds = 0, kSecondsAlarm = 1, kMinutes = 2, kMinutesAlarm = 3, kHours = 4, kHoursAlarm = 5,
  kWeekday = 6, kDay = 7, kMonth = 8, kYear = 9, kA = 10, kB = 11, kC = 12, kD = 13,
  kCentury = 0x32,
};
constexpr uint8_t kUpdateInProgress = 0x80;
constexpr uint8_t kSet = 0x80, kPeriodicEnable = 0x40, kAlarmEnable = 0x20, kUpdateEnable = 0x10,
                  kBinary = 0x04, k24Hour = 0x02;
constexpr uint8_t kIrqFlag = 0x80, kPeriodicFlag = 0x40, kAlarmFlag = 0x20, kUpdateFlag = 0x10;
constexpr uint8_t kValidRam = 0x80;
constexpr uint8_t kDividerNormal = 0x20;
constexpr uint64_t kUpdateNs = 244'000;  // UIP goes up this long before the second
constexpr uint64_t kOscillatorHz = 32768;

// Civil time from days since 1970 and back (Howard Hinnant's proleptic Gregorian arithmetic).
struct Date {
  int64_t year;
  int month, day;
};
Date DateOf(int64_t days) {
  days += 719468;
  const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const int64_t doe = days - era * 146097;
  const int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const int64_t mp = (5 * doy + 2) / 153;
  const int month = static_cast<int>(mp < 10 ? mp + 3 : mp - 9);
  return {yoe + era * 400 + (month <= 2), month, static_cast<int>(doy - (153 * mp + 2) / 5 + 1)};
}
int64_t DaysOf(int64_t year, int month, int day) {
  year -= month <= 2;
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const int64_t yoe = year - era * 400;
  const int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}
int64_t FloorDiv(int64_t a, int64_t b) { return a / b - (a % b < 0); }
int64_t FloorMod(int64_t a, int64_t b) { return a - FloorDiv(a, b) * b; }

}  // namespace

bool Rtc::stopped() const { return (s_.cmos[kB] & kSet) != 0; }

int64_t Rtc::TimeNs(uint64_t now_ns) const {
  return base_ns_ + static_cast<int64_t>(now_ns) + s_.offset_ns;
}

void Rtc::Reset(uint64_t now_ns) {
  s_ = {};
  s_.cmos[kA] = kDividerNormal | 6;  // 1024 Hz
  s_.cmos[kB] = k24Hour;
  s_.cmos[kD] = kValidRam;
  s_.periodic_served = now_ns;
  s_.second_served = static_cast<uint64_t>(FloorDiv(TimeNs(now_ns), kNsPerSecond));
}

uint8_t Rtc::Encode(int value) const {
  if ((s_.cmos[kB] & kBinary) != 0) return static_cast<uint8_t>(value);
  return static_cast<uint8_t>(value / 10 << 4 | value % 10);
}
int Rtc::Decode(uint8_t value) const {
  if ((s_.cmos[kB] & kBinary) != 0) return value;
  return (value >> 4) * 10 + (value & 15);
}

uint8_t Rtc::ReadClock(uint8_t index, uint64_t now_ns) const {
  if (stopped()) return s_.cmos[index];  // as written while the clock is being set
  const int64_t seconds = FloorDiv(TimeNs(now_ns), kNsPerSecond);
  const int64_t day_seconds = FloorMod(seconds, 86400);
  const int64_t days = FloorDiv(seconds, 86400);
  const Date date = DateOf(days);
  switch (index) {
    case kSeconds: return Encode(static_cast<int>(day_seconds % 60));
    case kMinutes: return Encode(static_cast<int>(day_seconds / 60 % 60));
    case kHours: {
      const int hour = static_cast<int>(day_seconds / 3600);
      if ((s_.cmos[kB] & k24Hour) != 0) return Encode(hour);
      return static_cast<uint8_t>(Encode(hour % 12 == 0 ? 12 : hour % 12) | (hour >= 12 ? 0x80 : 0));
    }
    case kWeekday: return Encode(static_cast<int>(FloorMod(days + 4, 7)) + 1);
    case kDay: return Encode(date.day);
    case kMonth: return Encode(date.month);
    case kYear: return Encode(static_cast<int>(FloorMod(date.year, 100)));
    default: return Encode(static_cast<int>(date.year / 100 % 100));
  }
}

// While SET is on, the registers collect the new time; when it goes off, the clock goes on from it.
void Rtc::WriteClock(uint8_t index, uint8_t value, uint64_t now_ns) {
  const bool was_stopped = stopped();
  if (!was_stopped) {
    for (uint8_t i : {kSeconds, kMinutes, kHours, kWeekday, kDay, kMonth, kYear, kCentury}) {
      s_.cmos[i] = ReadClock(i, now_ns);
    }
  }
  s_.cmos[index] = value;
  int hour = Decode(s_.cmos[kHours] & 0x7f);
  if ((s_.cmos[kB] & k24Hour) == 0) {
    hour = hour % 12 + ((s_.cmos[kHours] & 0x80) != 0 ? 12 : 0);
  }
  const int64_t year = Decode(s_.cmos[kCentury]) * 100 + Decode(s_.cmos[kYear]);
  const int month = std::clamp(Decode(s_.cmos[kMonth]), 1, 12);
  const int64_t seconds = DaysOf(year, month, Decode(s_.cmos[kDay])) * 86400 + hour * 3600 +
                          Decode(s_.cmos[kMinutes]) * 60 + Decode(s_.cmos[kSeconds]);
  const int64_t fraction = FloorMod(TimeNs(now_ns), kNsPerSecond);
  s_.offset_ns = seconds * static_cast<int64_t>(kNsPerSecond) + fraction - base_ns_ -
                 static_cast<int64_t>(now_ns);
  s_.second_served = static_cast<uint64_t>(seconds);
}

uint8_t Rtc::Read(uint16_t port, uint64_t now_ns) {
  if ((port & 1) == 0) return 0xff;  // the index cannot be read
  Advance(now_ns);
  const uint8_t index = s_.index & 0x7f;
  switch (index) {
    case kSeconds: case kMinutes: case kHours: case kWeekday: case kDay: case kMonth: case kYear:
    case kCentury:
      return ReadClock(index, now_ns);
    case kA: {
      const auto into = static_cast<uint64_t>(FloorMod(TimeNs(now_ns), kNsPerSecond));
      const bool updating = !stopped() && into >= kNsPerSecond - kUpdateNs;
      return static_cast<uint8_t>((s_.cmos[kA] & 0x7f) | (updating ? kUpdateInProgress : 0));
    }
    case kC: {
      const uint8_t flags = s_.cmos[kC];
      s_.cmos[kC] = 0;
      s_.line = 0;
      return flags;
    }
    default:
      return s_.cmos[index];
  }
}

void Rtc::Write(uint16_t port, uint8_t value, uint64_t now_ns) {
  if ((port & 1) == 0) {
    s_.index = value;
    return;
  }
  Advance(now_ns);
  const uint8_t index = s_.index & 0x7f;
  switch (index) {
    case kSeconds: case kMinutes: case kHours: case kWeekday: case kDay: case kMonth: case kYear:
    case kCentury:
      WriteClock(index, value, now_ns);
      break;
    case kA:
      s_.cmos[kA] = value & 0x7f;
      s_.periodic_served = now_ns;
      break;
    case kB: {
      if ((value & kSet) != 0 && !stopped()) {
        for (uint8_t i : {kSeconds, kMinutes, kHours, kWeekday, kDay, kMonth, kYear, kCentury}) {
          s_.cmos[i] = ReadClock(i, now_ns);
        }
      }
      // SET forbids update interrupts (MC146818A, register B).
      s_.cmos[kB] = (value & kSet) != 0 ? value & static_cast<uint8_t>(~kUpdateEnable) : value;
      s_.periodic_served = std::max(s_.periodic_served, now_ns);
      UpdateLine();
      break;
    }
    case kC: case kD:
      break;  // read-only
    default:
      s_.cmos[index] = value;
  }
}

uint64_t Rtc::PeriodNs() const {
  uint32_t rate = s_.cmos[kA] & 15;
  if (rate == 0 || (s_.cmos[kA] & 0x70) != kDividerNormal) return 0;
  if (rate < 3) rate += 7;
  return NsUntil(uint64_t{1} << (rate - 1), kOscillatorHz);
}

bool Rtc::AlarmMatches(int64_t second) const {
  const int64_t day_seconds = FloorMod(second, 86400);
  const auto matches = [&](uint8_t alarm, int64_t value) {
    return (alarm & 0xc0) == 0xc0 || Decode(alarm) == value;  // C0H and above: any
  };
  uint8_t hours = s_.cmos[kHoursAlarm];
  int64_t hour = day_seconds / 3600;
  if ((s_.cmos[kB] & k24Hour) == 0 && (hours & 0xc0) != 0xc0) {
    const bool afternoon = (hours & 0x80) != 0;
    if (afternoon != (hour >= 12)) return false;
    hours &= 0x7f;
    hour = hour % 12 == 0 ? 12 : hour % 12;
  }
  return matches(s_.cmos[kSecondsAlarm], day_seconds % 60) &&
         matches(s_.cmos[kMinutesAlarm], day_seconds / 60 % 60) && matches(hours, hour);
}

void Rtc::UpdateLine() {
  const uint8_t enabled = s_.cmos[kB] & (kPeriodicEnable | kAlarmEnable | kUpdateEnable);
  if ((s_.cmos[kC] & enabled) != 0) {
    s_.cmos[kC] |= kIrqFlag;
    s_.line = 1;
  }
}

void Rtc::Advance(uint64_t now_ns) {
  if (const uint64_t period = PeriodNs(); period != 0 && now_ns > s_.periodic_served) {
    const uint64_t periods = (now_ns - s_.periodic_served) / period;
    if (periods != 0) {
      s_.periodic_served += periods * period;
      s_.cmos[kC] |= kPeriodicFlag;
    }
  }
  const auto second = static_cast<uint64_t>(FloorDiv(TimeNs(now_ns), kNsPerSecond));
  if (!stopped() && second > s_.second_served) {
    s_.cmos[kC] |= kUpdateFlag;
    // A day has every alarm there is.
    const uint64_t first = std::max(s_.second_served + 1, second - std::min<uint64_t>(second, 86400));
    for (uint64_t at = first; at <= second; ++at) {
      if (!AlarmMatches(static_cast<int64_t>(at))) continue;
      s_.cmos[kC] |= kAlarmFlag;
      break;
    }
    s_.second_served = second;
  }
  UpdateLine();
}

uint64_t Rtc::NextEvent(uint64_t now_ns) const {
  uint64_t next = UINT64_MAX;
  const uint8_t pending = s_.cmos[kC];
  const uint8_t enabled = s_.cmos[kB];
  // What is already flagged raises nothing more until register C is read.
  if ((enabled & kPeriodicEnable) != 0 && (pending & kPeriodicFlag) == 0) {
    if (const uint64_t period = PeriodNs(); period != 0) next = s_.periodic_served + period;
  }
  const bool seconds = ((enabled & kUpdateEnable) != 0 && (pending & kUpdateFlag) == 0) ||
                       ((enabled & kAlarmEnable) != 0 && (pending & kAlarmFlag) == 0);
  if (seconds && !stopped()) {
    const auto into = static_cast<uint64_t>(FloorMod(TimeNs(now_ns), kNsPerSecond));
    next = std::min(next, now_ns + (kNsPerSecond - into));
  }
  return next;
}

}  // namespace hv::timer
