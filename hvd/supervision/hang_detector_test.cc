#include "hvd/supervision/hang_detector.h"

#include <gtest/gtest.h>

namespace hv::hvd {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTimeout{50};

class HangDetectorTest : public testing::Test {
 protected:
  // What the look at `ms` says, after looks every 10 ms.
  bool SuspiciousAt(int ms, const ServiceProgress& progress) {
    while (last_ms_ + 10 < ms) Look(last_ms_ + 10, progress);
    return Look(ms, progress);
  }
  bool Look(int ms, const ServiceProgress& progress) {
    last_ms_ = ms;
    return detector_.Suspicious(progress, HangDetector::TimePoint(milliseconds(ms)));
  }
  HangDetector detector_{kTimeout};
  int last_ms_ = 0;
};

TEST_F(HangDetectorTest, ABusyServiceThatTurnsIsFine) {
  for (int ms = 0; ms < 1000; ms += 10) {
    EXPECT_FALSE(SuspiciousAt(ms, {.heartbeat = static_cast<uint64_t>(ms), .waiting = false}));
  }
}

TEST_F(HangDetectorTest, ABusyServiceThatStopsTurningIsSuspicious) {
  EXPECT_FALSE(SuspiciousAt(0, {.heartbeat = 1}));
  EXPECT_FALSE(SuspiciousAt(49, {.heartbeat = 1}));
  EXPECT_TRUE(SuspiciousAt(50, {.heartbeat = 1}));
  EXPECT_FALSE(SuspiciousAt(60, {.heartbeat = 2}));  // it has come back
  EXPECT_FALSE(SuspiciousAt(100, {.heartbeat = 2}));
}

TEST_F(HangDetectorTest, WhoHasSleptLongAndJustWokenUpHasItsTime) {
  EXPECT_FALSE(SuspiciousAt(0, {.heartbeat = 1, .waiting = true, .wake_word = 7}));
  EXPECT_FALSE(SuspiciousAt(200, {.heartbeat = 1, .waiting = true, .wake_word = 7}));
  EXPECT_FALSE(SuspiciousAt(210, {.heartbeat = 1, .waiting = false, .wake_word = 8}));
  EXPECT_FALSE(SuspiciousAt(259, {.heartbeat = 1, .waiting = false, .wake_word = 8}));
  EXPECT_TRUE(SuspiciousAt(260, {.heartbeat = 1, .waiting = false, .wake_word = 8}));
}

// What holds up the one who looks holds up the service.
TEST_F(HangDetectorTest, OfALateLookHalfTheTimeoutCounts) {
  EXPECT_FALSE(SuspiciousAt(0, {.heartbeat = 1}));
  EXPECT_FALSE(Look(1000, {.heartbeat = 1}));
  EXPECT_FALSE(SuspiciousAt(1024, {.heartbeat = 1}));
  EXPECT_TRUE(SuspiciousAt(1025, {.heartbeat = 1}));
}

TEST_F(HangDetectorTest, AnIdleServiceIsFineForLongerThanItSleeps) {
  EXPECT_FALSE(SuspiciousAt(0, {.heartbeat = 1, .waiting = true, .wake_word = 7}));
  EXPECT_FALSE(SuspiciousAt(1049, {.heartbeat = 1, .waiting = true, .wake_word = 7}));
  EXPECT_TRUE(SuspiciousAt(1050, {.heartbeat = 1, .waiting = true, .wake_word = 7}));
}

TEST_F(HangDetectorTest, ASleeperThatWasWokenMustTurn) {
  EXPECT_FALSE(SuspiciousAt(0, {.heartbeat = 1, .waiting = true, .wake_word = 7}));
  EXPECT_FALSE(SuspiciousAt(10, {.heartbeat = 1, .waiting = true, .wake_word = 8}));
  EXPECT_FALSE(SuspiciousAt(20, {.heartbeat = 1, .waiting = true, .wake_word = 9}));
  EXPECT_FALSE(SuspiciousAt(59, {.heartbeat = 1, .waiting = true, .wake_word = 9}));
  EXPECT_TRUE(SuspiciousAt(60, {.heartbeat = 1, .waiting = true, .wake_word = 9}));
}

class VerdictTest : public HangDetectorTest {
 protected:
  VerdictTest() {
    EXPECT_FALSE(SuspiciousAt(0, {.heartbeat = 1}));
    EXPECT_TRUE(SuspiciousAt(50, {.heartbeat = 1}));
  }
};

TEST_F(VerdictTest, StoppedOrBlockedHangs) {
  EXPECT_TRUE(detector_.Hangs({.state = 'T'}));
  EXPECT_TRUE(detector_.Hangs({.state = 'S'}));
}

TEST_F(VerdictTest, WaitingForADiskDoesNot) { EXPECT_FALSE(detector_.Hangs({.state = 'D'})); }

TEST_F(VerdictTest, DeadDoesNot) { EXPECT_FALSE(detector_.Hangs({.state = 'Z'})); }

TEST_F(VerdictTest, StarvedDoesNot) {
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(detector_.Hangs({.state = 'R', .cpu = milliseconds(7)}));
  }
}

TEST_F(VerdictTest, RunningInCirclesHangsOnceItHasHadTheTime) {
  EXPECT_FALSE(detector_.Hangs({.state = 'R', .cpu = milliseconds(1000)}));
  EXPECT_FALSE(detector_.Hangs({.state = 'R', .cpu = milliseconds(1049)}));
  EXPECT_TRUE(detector_.Hangs({.state = 'R', .cpu = milliseconds(1050)}));
}

TEST_F(VerdictTest, ATurnWipesTheSuspicionOut) {
  EXPECT_FALSE(detector_.Hangs({.state = 'R', .cpu = milliseconds(1000)}));
  EXPECT_FALSE(SuspiciousAt(60, {.heartbeat = 2}));
  EXPECT_TRUE(SuspiciousAt(110, {.heartbeat = 2}));
  EXPECT_FALSE(detector_.Hangs({.state = 'R', .cpu = milliseconds(2000)}));
}

}  // namespace
}  // namespace hv::hvd
