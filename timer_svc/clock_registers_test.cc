#include "timer_svc/clock_registers.h"

#include <algorithm>

#include "gtest/gtest.h"
#include "timer_svc/civil_time.h"

namespace hv::timer {
namespace {

constexpr ClockFormat kBcd24{.binary = false, .hours24 = true};
constexpr ClockFormat kBcd12{.binary = false, .hours24 = false};
constexpr ClockFormat kBinary24{.binary = true, .hours24 = true};
constexpr ClockFormat kBinary12{.binary = true, .hours24 = false};

// 2024-02-29, a Thursday, at an hour, minute and second.
int64_t At(int hour, int minute, int second) {
  return DaysOf({2024, 2, 29}) * 86400 + hour * 3600 + minute * 60 + second;
}

TEST(ClockRegistersTest, ShowsATimeInBcd) {
  const int64_t time = At(23, 45, 9);
  EXPECT_EQ(ShowClock(kSeconds, time, kBcd24), 0x09);
  EXPECT_EQ(ShowClock(kMinutes, time, kBcd24), 0x45);
  EXPECT_EQ(ShowClock(kHours, time, kBcd24), 0x23);
  EXPECT_EQ(ShowClock(kWeekday, time, kBcd24), 0x05) << "Sunday is 1";
  EXPECT_EQ(ShowClock(kDay, time, kBcd24), 0x29);
  EXPECT_EQ(ShowClock(kMonth, time, kBcd24), 0x02);
  EXPECT_EQ(ShowClock(kYear, time, kBcd24), 0x24);
  EXPECT_EQ(ShowClock(kCentury, time, kBcd24), 0x20);
}

TEST(ClockRegistersTest, ShowsATimeInBinary) {
  const int64_t time = At(23, 45, 9);
  EXPECT_EQ(ShowClock(kMinutes, time, kBinary24), 45);
  EXPECT_EQ(ShowClock(kHours, time, kBinary24), 23);
  EXPECT_EQ(ShowClock(kCentury, time, kBinary24), 20);
}

TEST(ClockRegistersTest, TwelveHoursHaveMidnightAndNoonAsTwelve) {
  EXPECT_EQ(ShowClock(kHours, At(0, 0, 0), kBcd12), 0x12);
  EXPECT_EQ(ShowClock(kHours, At(11, 0, 0), kBcd12), 0x11);
  EXPECT_EQ(ShowClock(kHours, At(12, 0, 0), kBcd12), 0x92);
  EXPECT_EQ(ShowClock(kHours, At(23, 0, 0), kBcd12), 0x91);
  EXPECT_EQ(ShowClock(kHours, At(22, 0, 0), kBinary12), 0x8a);
}

TEST(ClockRegistersTest, WhatIsShownIsReadBackInEveryFormat) {
  for (ClockFormat format : {kBcd24, kBcd12, kBinary24, kBinary12}) {
    for (int64_t time = At(0, 0, 0); time < At(24, 0, 0); time += 61) {
      uint8_t registers[128] = {};
      for (uint8_t index : kClockRegisters) registers[index] = ShowClock(index, time, format);
      ASSERT_EQ(ReadClock(registers, format), time);
    }
  }
}

TEST(ClockRegistersTest, AnyBytesGiveATimeInRange) {
  for (ClockFormat format : {kBcd24, kBinary12}) {
    for (int value = 0; value < 256; ++value) {
      uint8_t registers[128];
      std::fill(std::begin(registers), std::end(registers), static_cast<uint8_t>(value));
      const int64_t time = ReadClock(registers, format);
      EXPECT_GT(time, kFirstSecond);
      EXPECT_LT(time, kLastSecond);
    }
  }
}

TEST(ClockRegistersTest, AnAlarmMatchesItsTimeOfDay) {
  uint8_t registers[128] = {};
  registers[kHoursAlarm] = 0x23;
  registers[kMinutesAlarm] = 0x45;
  registers[kSecondsAlarm] = 0x09;
  EXPECT_TRUE(AlarmMatches(registers, At(23, 45, 9), kBcd24));
  EXPECT_FALSE(AlarmMatches(registers, At(23, 45, 10), kBcd24));
  EXPECT_FALSE(AlarmMatches(registers, At(23, 44, 9), kBcd24));
  EXPECT_FALSE(AlarmMatches(registers, At(22, 45, 9), kBcd24));
}

TEST(ClockRegistersTest, DoNotCareBytesMatchAnything) {
  uint8_t registers[128] = {};
  registers[kHoursAlarm] = 0xc0;
  registers[kMinutesAlarm] = 0xff;
  registers[kSecondsAlarm] = 0x30;
  EXPECT_TRUE(AlarmMatches(registers, At(3, 7, 30), kBcd24));
  EXPECT_TRUE(AlarmMatches(registers, At(4, 8, 30), kBcd24));
  EXPECT_FALSE(AlarmMatches(registers, At(4, 8, 31), kBcd24));
}

TEST(ClockRegistersTest, ATwelveHourAlarmKnowsMorningFromAfternoon) {
  uint8_t registers[128] = {};
  registers[kHoursAlarm] = 0x85;
  EXPECT_TRUE(AlarmMatches(registers, At(17, 0, 0), kBcd12));
  EXPECT_FALSE(AlarmMatches(registers, At(5, 0, 0), kBcd12));
}

}  // namespace
}  // namespace hv::timer
