#include "base/check.h"

#include "gtest/gtest.h"

namespace hv {
namespace {

TEST(CheckTest, ATrueConditionIsEvaluatedOnceAndPasses) {
  int evaluations = 0;
  CHECK(++evaluations == 1);
  EXPECT_EQ(evaluations, 1);
}

TEST(CheckDeathTest, AFalseOneSaysWhereAndWhatAndAborts) {
  EXPECT_DEATH(CHECK(1 + 1 == 3), "check_test.cc:[0-9]+: CHECK failed: 1 \\+ 1 == 3");
}

}  // namespace
}  // namespace hv
