#include "timer_svc/civil_time.h"

namespace hv::timer {
namespace {

// A year that starts in March has its leap day at the end, and a 400-year era has as many days as
// any other (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
constexpr int64_t kDaysPerEra = 146097, kYearsPerEra = 400;
constexpr int64_t kEpoch = 719468;  // 1970-01-01 in days since 0000-03-01
constexpr int64_t kEpochWeekday = 4;

}  // namespace

CivilDate DateOf(int64_t days) {
  days += kEpoch;
  const int64_t era = FloorDiv(days, kDaysPerEra);
  const int64_t day_of_era = days - era * kDaysPerEra;
  const int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t from_march = (5 * day_of_year + 2) / 153;
  const int month = static_cast<int>(from_march < 10 ? from_march + 3 : from_march - 9);
  return {.year = year_of_era + era * kYearsPerEra + (month <= 2 ? 1 : 0),
          .month = month,
          .day = static_cast<int>(day_of_year - (153 * from_march + 2) / 5 + 1)};
}

int64_t DaysOf(const CivilDate& date) {
  const int64_t year = date.year - (date.month <= 2 ? 1 : 0);
  const int64_t era = FloorDiv(year, kYearsPerEra);
  const int64_t year_of_era = year - era * kYearsPerEra;
  const int64_t from_march = date.month > 2 ? date.month - 3 : date.month + 9;
  const int64_t day_of_year = (153 * from_march + 2) / 5 + date.day - 1;
  return era * kDaysPerEra + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
         kEpoch;
}

int WeekdayOf(int64_t days) { return static_cast<int>(FloorMod(days + kEpochWeekday, 7)); }

}  // namespace hv::timer
