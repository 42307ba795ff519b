#include "hvd/supervision/failover_record.h"

#include "gtest/gtest.h"

namespace hv::hvd {
namespace {

TEST(DurationHistogramTest, IsEmptyAtFirst) {
  const DurationHistogram durations;
  EXPECT_EQ(durations.count(), 0u);
  EXPECT_EQ(durations.Percentile(99), 0u);
}

TEST(DurationHistogramTest, APercentileIsAtMostAnEighthTooLong) {
  for (uint64_t ns : {1ull, 7ull, 8ull, 9ull, 1000ull, 123'456ull, 5'000'000ull, 1ull << 40}) {
    DurationHistogram durations;
    durations.Add(ns);
    durations.Add(UINT64_MAX);
    EXPECT_GE(durations.Percentile(50), ns);
    EXPECT_LE(durations.Percentile(50), ns + ns / 8);
  }
}

TEST(DurationHistogramTest, ThePercentilesOfThousandDurationsAreInTheirPlaces) {
  DurationHistogram durations;
  for (uint64_t us = 1; us <= 1000; ++us) durations.Add(us * 1000);
  EXPECT_NEAR(static_cast<double>(durations.Percentile(50)), 500e3, 500e3 / 8);
  EXPECT_NEAR(static_cast<double>(durations.Percentile(99)), 990e3, 990e3 / 8);
  EXPECT_EQ(durations.Percentile(100), 1'000'000u);
  EXPECT_EQ(durations.max_ns(), 1'000'000u);
}

TEST(DurationHistogramTest, TheLongestDurationHasAPlace) {
  DurationHistogram durations;
  durations.Add(UINT64_MAX);
  EXPECT_EQ(durations.Percentile(50), UINT64_MAX);
}

TEST(FailoverRecordTest, ShowsEachStageAndTheWhole) {
  FailoverRecord record;
  const FailoverTimes times{.detected_ns = 100,
                            .fenced_ns = 104,
                            .attached_ns = 110,
                            .recovered_ns = 117,
                            .first_message_ns = 119};
  record.AddRecovery(times);
  record.AddFirstMessage(times);
  hv::v1::Failovers shown;
  record.Show(shown);
  ASSERT_EQ(shown.stages_size(), 5);
  const std::pair<const char*, uint64_t> expected[] = {
      {"fence", 4}, {"attach", 6}, {"recover", 7}, {"first_message", 2}, {"whole", 17}};
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(shown.stages(i).name(), expected[i].first);
    EXPECT_EQ(shown.stages(i).max_ns(), expected[i].second);
    EXPECT_EQ(shown.stages(i).count(), 1u);
  }
}

TEST(FailoverRecordTest, ClocksThatAreALittleApartMakeNoHugeDuration) {
  FailoverRecord record;
  record.AddRecovery({.detected_ns = 100, .fenced_ns = 99, .attached_ns = 98, .recovered_ns = 97});
  hv::v1::Failovers shown;
  record.Show(shown);
  EXPECT_EQ(shown.stages(4).max_ns(), 0u);
}

}  // namespace
}  // namespace hv::hvd
