// Calendar arithmetic: days since 1970-01-01 as year, month and day of the Gregorian calendar and
// back, for any year, in whole numbers.
#pragma once

#include <cstdint>

namespace hv::timer {

struct CivilDate {
  int64_t year;
  int month;  // 1 to 12
  int day;    // 1 to 31
};

CivilDate DateOf(int64_t days);
// REQUIRES: 1 <= date.month <= 12. A day past the month's end runs on into the next month.
int64_t DaysOf(const CivilDate& date);
// 0: Sunday.
int WeekdayOf(int64_t days);

// Division that rounds down, for times before the origin.
constexpr int64_t FloorDiv(int64_t a, int64_t b) { return a / b - (a % b < 0); }
constexpr int64_t FloorMod(int64_t a, int64_t b) { return a - FloorDiv(a, b) * b; }

}  // namespace hv::timer
