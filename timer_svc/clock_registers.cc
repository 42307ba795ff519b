#include "timer_svc/clock_registers.h"

#include <algorithm>
#include <iterator>

#include "timer_svc/civil_time.h"

namespace hv::timer {
namespace {

constexpr int64_t kSecondsPerDay = 86400;
constexpr uint8_t kAfternoon = 0x80;
constexpr uint8_t kAny = 0xc0;

uint8_t Encode(int64_t value, ClockFormat format) {
  return static_cast<uint8_t>(format.binary ? value : value / 10 << 4 | value % 10);
}
int Decode(uint8_t value, ClockFormat format) {
  return format.binary ? value : (value >> 4) * 10 + (value & 15);
}

uint8_t EncodeHour(int64_t hour, ClockFormat format) {
  if (format.hours24) return Encode(hour, format);
  const uint8_t shown = Encode(hour % 12 == 0 ? 12 : hour % 12, format);
  return shown | (hour >= 12 ? kAfternoon : 0);
}
int DecodeHour(uint8_t value, ClockFormat format) {
  if (format.hours24) return Decode(value, format);
  const int hour = Decode(value & 0x7f, format) % 12;
  return hour + ((value & kAfternoon) != 0 ? 12 : 0);
}

}  // namespace

bool IsClockRegister(uint8_t index) {
  return std::find(std::begin(kClockRegisters), std::end(kClockRegisters), index) !=
         std::end(kClockRegisters);
}

uint8_t ShowClock(uint8_t index, int64_t seconds, ClockFormat format) {
  const int64_t days = FloorDiv(seconds, kSecondsPerDay);
  const int64_t of_day = FloorMod(seconds, kSecondsPerDay);
  switch (index) {
    case kSeconds: return Encode(of_day % 60, format);
    case kMinutes: return Encode(of_day / 60 % 60, format);
    case kHours: return EncodeHour(of_day / 3600, format);
    case kWeekday: return Encode(WeekdayOf(days) + 1, format);
    case kDay: return Encode(DateOf(days).day, format);
    case kMonth: return Encode(DateOf(days).month, format);
    case kYear: return Encode(FloorMod(DateOf(days).year, 100), format);
    default: return Encode(FloorMod(FloorDiv(DateOf(days).year, 100), 100), format);
  }
}

int64_t ReadClock(const uint8_t* registers, ClockFormat format) {
  const CivilDate date{
      .year = Decode(registers[kCentury], format) * int64_t{100} + Decode(registers[kYear], format),
      .month = std::clamp(Decode(registers[kMonth], format), 1, 12),
      .day = Decode(registers[kDay], format)};
  return DaysOf(date) * kSecondsPerDay + DecodeHour(registers[kHours], format) * 3600 +
         Decode(registers[kMinutes], format) * 60 + Decode(registers[kSeconds], format);
}

bool AlarmMatches(const uint8_t* registers, int64_t seconds, ClockFormat format) {
  const int64_t of_day = FloorMod(seconds, kSecondsPerDay);
  const auto matches = [](uint8_t alarm, uint8_t shown) {
    return (alarm & kAny) == kAny || alarm == shown;
  };
  return matches(registers[kSecondsAlarm], Encode(of_day % 60, format)) &&
         matches(registers[kMinutesAlarm], Encode(of_day / 60 % 60, format)) &&
         matches(registers[kHoursAlarm], EncodeHour(of_day / 3600, format));
}

}  // namespace hv::timer
