#include "timer_svc/civil_time.h"

#include "gtest/gtest.h"

namespace hv::timer {
namespace {

TEST(CivilTimeTest, KnownDays) {
  struct {
    int64_t days;
    CivilDate date;
    int weekday;
  } const known[] = {
      {0, {1970, 1, 1}, 4},      {-1, {1969, 12, 31}, 3},   {11016, {2000, 2, 29}, 2},
      {11017, {2000, 3, 1}, 3},  {19781, {2024, 2, 28}, 3}, {19782, {2024, 2, 29}, 4},
      {47540, {2100, 2, 28}, 0}, {47541, {2100, 3, 1}, 1},  {-719528, {0, 1, 1}, 6},
  };
  for (const auto& day : known) {
    const CivilDate date = DateOf(day.days);
    EXPECT_EQ(date.year, day.date.year) << day.days;
    EXPECT_EQ(date.month, day.date.month) << day.days;
    EXPECT_EQ(date.day, day.date.day) << day.days;
    EXPECT_EQ(DaysOf(day.date), day.days);
    EXPECT_EQ(WeekdayOf(day.days), day.weekday) << day.days;
  }
}

TEST(CivilTimeTest, EveryDayOfEightCenturiesComesBack) {
  for (int64_t days = -150'000; days < 150'000; ++days) ASSERT_EQ(DaysOf(DateOf(days)), days);
}

TEST(CivilTimeTest, ADayPastTheMonthsEndRunsOn) {
  EXPECT_EQ(DaysOf({2023, 2, 29}), DaysOf({2023, 3, 1}));
  EXPECT_EQ(DaysOf({2023, 12, 32}), DaysOf({2024, 1, 1}));
}

TEST(CivilTimeTest, DivisionRoundsDown) {
  EXPECT_EQ(FloorDiv(-1, 10), -1);
  EXPECT_EQ(FloorMod(-1, 10), 9);
  EXPECT_EQ(FloorDiv(-10, 10), -1);
  EXPECT_EQ(FloorMod(-10, 10), 0);
}

}  // namespace
}  // namespace hv::timer
