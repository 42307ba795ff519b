#include "hv_kernel/exit_history.h"

#include "gtest/gtest.h"

namespace hv {
namespace {

Exit Numbered(uint64_t number) { return {ExitReason::kPortRead, 1, number, 0}; }

TEST(ExitHistoryTest, StartsEmpty) { EXPECT_TRUE(ExitHistory().Last().empty()); }

TEST(ExitHistoryTest, TellsFewerThanItKeepsOldestFirst) {
  ExitHistory history;
  for (uint64_t i = 0; i < 3; ++i) history.Record(Numbered(i));
  const auto last = history.Last();
  ASSERT_EQ(last.size(), 3u);
  for (uint64_t i = 0; i < 3; ++i) EXPECT_EQ(last[i].address, i);
}

TEST(ExitHistoryTest, ForgetsTheOldest) {
  ExitHistory history;
  constexpr uint64_t kRecorded = 2 * ExitHistory::kKept + 5;
  for (uint64_t i = 0; i < kRecorded; ++i) history.Record(Numbered(i));
  const auto last = history.Last();
  ASSERT_EQ(last.size(), ExitHistory::kKept);
  for (uint64_t i = 0; i < ExitHistory::kKept; ++i) {
    EXPECT_EQ(last[i].address, kRecorded - ExitHistory::kKept + i);
  }
}

}  // namespace
}  // namespace hv
