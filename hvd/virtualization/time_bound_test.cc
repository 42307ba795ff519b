#include "hvd/virtualization/time_bound.h"

#include <gtest/gtest.h>

namespace hv::hvd {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

bool IsBlocked() {
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  return sigismember(&mask, TimeBound::kSignal) == 1;
}

bool IsPending() {
  sigset_t pending;
  sigpending(&pending);
  return sigismember(&pending, TimeBound::kSignal) == 1;
}

// The signal's default action would end the test.
TEST(TimeBoundTest, WhatIsPendingAtTheEndIsTakenAway) {
  {
    const auto bound = TimeBound::Start(hours(1), milliseconds(1));
    ASSERT_TRUE(bound.has_value());
    EXPECT_TRUE(IsBlocked());
    while (!IsPending()) {
    }
  }
  EXPECT_FALSE(IsPending());
  EXPECT_FALSE(IsBlocked());
}

TEST(TimeBoundTest, ProcessorTimeIsBoundedToo) {
  const auto bound = TimeBound::Start(milliseconds(1), hours(1));
  ASSERT_TRUE(bound.has_value());
  while (!IsPending()) {
  }
}

TEST(TimeBoundTest, AThreadThatHadItBlockedKeepsItBlocked) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, TimeBound::kSignal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  { const auto bound = TimeBound::Start(hours(1), hours(1)); }
  EXPECT_TRUE(IsBlocked());
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace
}  // namespace hv::hvd
