// The time of day as the RTC's registers show it: BCD or binary, 12 or 24 hours (Motorola MC146818A
// datasheet, "Time, Calendar and Alarm Locations").
#pragma once

#include <cstdint>

namespace hv::timer {

// Numbers of the registers; the century byte is where the FADT says.
enum ClockRegister : uint8_t {
  kSeconds = 0,
  kSecondsAlarm = 1,
  kMinutes = 2,
  kMinutesAlarm = 3,
  kHours = 4,
  kHoursAlarm = 5,
  kWeekday = 6,
  kDay = 7,
  kMonth = 8,
  kYear = 9,
  kCentury = 0x32,
};
inline constexpr uint8_t kClockRegisters[] = {kSeconds, kMinutes, kHours, kWeekday,
                                              kDay,     kMonth,   kYear,  kCentury};
bool IsClockRegister(uint8_t index);

// How register B has it.
struct ClockFormat {
  bool binary;
  bool hours24;
};

// What `index` shows at `seconds` since 1970 (any year; the registers have its last four digits).
// REQUIRES: IsClockRegister(index).
uint8_t ShowClock(uint8_t index, int64_t seconds, ClockFormat format);
// The time the registers show, indexed by register number; the weekday is not looked at. Values
// that are no time (month 13, BCD digits past 9) give some time, always within
// kFirstSecond..kLastSecond.
int64_t ReadClock(const uint8_t* registers, ClockFormat format);
inline constexpr int64_t kFirstSecond = -70'000'000'000, kLastSecond = 1'000'000'000'000;

// Whether the three alarm bytes match the time of day; C0H to FFH match anything.
bool AlarmMatches(const uint8_t* registers, int64_t seconds, ClockFormat format);

}  // namespace hv::timer
