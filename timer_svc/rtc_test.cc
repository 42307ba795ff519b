#include "timer_svc/rtc.h"

#include "gtest/gtest.h"
#include "timer_svc/rate.h"

namespace hv::timer {
namespace {

constexpr int64_t kStart = 1'709'164'790;  // 2024-02-28 23:59:50
constexpr uint8_t kA = 10, kB = 11, kC = 12, kD = 13;
constexpr uint8_t kSet = 0x80, kPie = 0x40, kAie = 0x20, kUie = 0x10, kDm = 0x04, k24 = 0x02;
constexpr uint64_t kMs = 1'000'000;

class RtcTest : public testing::Test {
 protected:
  RtcTest() { rtc_.Reset(now_); }

  uint8_t Read(uint8_t index) {
    rtc_.Write(0x70, index, now_);
    return rtc_.Read(0x71, now_);
  }
  void Write(uint8_t index, uint8_t value) {
    rtc_.Write(0x70, index, now_);
    rtc_.Write(0x71, value, now_);
  }
  void SetTime(uint8_t year, uint8_t month, uint8_t day, uint8_t hours, uint8_t minutes,
               uint8_t seconds) {
    Write(kB, Read(kB) | kSet);
    Write(kYear, year);
    Write(kMonth, month);
    Write(kDay, day);
    Write(kHours, hours);
    Write(kMinutes, minutes);
    Write(kSeconds, seconds);
    Write(kB, Read(kB) & static_cast<uint8_t>(~kSet));
  }
  void Pass(uint64_t ns) {
    now_ += ns;
    rtc_.Advance(now_);
  }

  RtcState state_{};
  Rtc rtc_{state_, kStart* static_cast<int64_t>(kNsPerSecond)};
  uint64_t now_ = 0;
};

TEST_F(RtcTest, ShowsTheHostsTimeInBcdAnd24Hours) {
  EXPECT_EQ(Read(kB), k24);
  EXPECT_EQ(Read(kCentury), 0x20);
  EXPECT_EQ(Read(kYear), 0x24);
  EXPECT_EQ(Read(kMonth), 0x02);
  EXPECT_EQ(Read(kDay), 0x28);
  EXPECT_EQ(Read(kWeekday), 0x04);
  EXPECT_EQ(Read(kHours), 0x23);
  EXPECT_EQ(Read(kMinutes), 0x59);
  EXPECT_EQ(Read(kSeconds), 0x50);
}

TEST_F(RtcTest, GoesOnIntoALeapDay) {
  Pass(10'000 * kMs);
  EXPECT_EQ(Read(kDay), 0x29);
  EXPECT_EQ(Read(kMonth), 0x02);
  Pass(86'400'000 * kMs);
  EXPECT_EQ(Read(kDay), 0x01);
  EXPECT_EQ(Read(kMonth), 0x03);
}

TEST_F(RtcTest, ChangingTheFormatChangesWhatIsShown) {
  Write(kB, kDm);
  EXPECT_EQ(Read(kMinutes), 59);
  EXPECT_EQ(Read(kHours), 0x80 | 11);
}

TEST_F(RtcTest, ATimeThatTheGuestSetsRunsOn) {
  SetTime(0x99, 0x12, 0x31, 0x23, 0x59, 0x59);
  Write(kCentury, 0x19);
  EXPECT_EQ(Read(kSeconds), 0x59);
  Pass(1000 * kMs);
  EXPECT_EQ(Read(kCentury), 0x20);
  EXPECT_EQ(Read(kYear), 0x00);
  EXPECT_EQ(Read(kMonth), 0x01);
  EXPECT_EQ(Read(kDay), 0x01);
  EXPECT_EQ(Read(kSeconds), 0x00);
}

TEST_F(RtcTest, WritingTheRunningClockMovesIt) {
  Write(kMinutes, 0x05);
  EXPECT_EQ(Read(kHours), 0x23);
  EXPECT_EQ(Read(kMinutes), 0x05);
  EXPECT_EQ(Read(kSeconds), 0x50);
  EXPECT_EQ(state_.offset_seconds, -54 * 60);
}

TEST_F(RtcTest, WhileSetTheTimeStandsAndHoldsWhatIsWritten) {
  Write(kB, kSet | k24);
  Write(kSeconds, 0x12);
  Pass(5000 * kMs);
  EXPECT_EQ(Read(kSeconds), 0x12);
  EXPECT_EQ(Read(kMinutes), 0x59);
  Write(kB, k24);
  EXPECT_EQ(Read(kSeconds), 0x12) << "from where it stood";
  Pass(1000 * kMs);
  EXPECT_EQ(Read(kSeconds), 0x13);
}

TEST_F(RtcTest, SetKeepsThePhaseOfTheSecond) {
  Pass(300 * kMs);
  Write(kB, kSet | k24);
  Write(kB, k24);
  Pass(699 * kMs);
  EXPECT_EQ(Read(kSeconds), 0x50);
  Pass(1 * kMs);
  EXPECT_EQ(Read(kSeconds), 0x51);
}

TEST_F(RtcTest, TheFirstUpdateComesHalfASecondAfterADividerReset) {
  Pass(300 * kMs);
  Write(kA, 0x76);
  Pass(5000 * kMs);
  EXPECT_EQ(Read(kSeconds), 0x50) << "the clock stands";
  Write(kA, 0x26);
  Pass(499 * kMs);
  EXPECT_EQ(Read(kSeconds), 0x50);
  Pass(1 * kMs);
  EXPECT_EQ(Read(kSeconds), 0x51);
}

TEST_F(RtcTest, TimesBefore1970AndFarFromItRun) {
  SetTime(0x69, 0x12, 0x31, 0x23, 0x59, 0x59);
  Write(kCentury, 0x19);
  Read(kC);
  Pass(1000 * kMs);
  EXPECT_EQ(Read(kYear), 0x70);
  EXPECT_EQ(Read(kC) & 0x10, 0x10) << "and update across the origin";
  Write(kCentury, 0x99);
  EXPECT_EQ(Read(kCentury), 0x99);
  EXPECT_EQ(Read(kYear), 0x70);
}

TEST_F(RtcTest, UpdateInProgressShowsJustBeforeTheSecond) {
  Pass(999 * kMs);
  EXPECT_EQ(Read(kA), 0xa6 & 0x7f);
  Pass(kMs - 244'000);
  EXPECT_EQ(Read(kA), 0xa6);
  Pass(244'000);
  EXPECT_EQ(Read(kA), 0x26);
  Write(kB, kSet | k24);
  Pass(999 * kMs + kMs - 100);
  EXPECT_EQ(Read(kA), 0x26) << "no update while SET";
}

TEST_F(RtcTest, UpdateInProgressIsReadOnly) {
  Write(kA, 0xa6);
  EXPECT_EQ(Read(kA), 0x26);
}

TEST_F(RtcTest, UpdateEndedInterruptsEverySecond) {
  Write(kB, k24 | kUie);
  EXPECT_EQ(rtc_.NextEvent(now_), 1000 * kMs);
  Pass(1000 * kMs);
  EXPECT_TRUE(rtc_.line());
  EXPECT_EQ(rtc_.NextEvent(now_), kNever) << "nothing more until it is read";
  EXPECT_EQ(Read(kC) & 0x90, 0x90);
  EXPECT_FALSE(rtc_.line());
  EXPECT_EQ(rtc_.NextEvent(now_), 2000 * kMs);
}

TEST_F(RtcTest, RegisterCIsClearedByReading) {
  Pass(1000 * kMs);
  EXPECT_EQ(Read(kC), 0x50);
  EXPECT_EQ(Read(kC), 0x00);
}

TEST_F(RtcTest, FlagsWithoutTheirEnableRaiseNoLine) {
  Pass(1000 * kMs);
  EXPECT_FALSE(rtc_.line());
  Write(kB, k24 | kUie);
  EXPECT_TRUE(rtc_.line()) << "the flag stood already";
  Write(kB, k24);
  EXPECT_FALSE(rtc_.line());
}

TEST_F(RtcTest, SetClearsTheUpdateEnable) {
  Write(kB, k24 | kUie | kSet);
  EXPECT_EQ(Read(kB), k24 | kSet);
}

TEST_F(RtcTest, MissedSecondsAreOneFlag) {
  Write(kB, k24 | kUie);
  Pass(3'600'000 * kMs);
  EXPECT_EQ(Read(kC) & 0x10, 0x10);
  EXPECT_FALSE(rtc_.line());
  EXPECT_EQ(Read(kMinutes), 0x59) << "the time is right";
}

TEST_F(RtcTest, AnAlarmComesAtItsSecond) {
  Write(kHoursAlarm, 0x00);
  Write(kMinutesAlarm, 0x00);
  Write(kSecondsAlarm, 0x03);
  Write(kB, k24 | kAie);
  for (int second = 0; second < 12; ++second) {
    EXPECT_NE(rtc_.NextEvent(now_), kNever);
    Pass(1000 * kMs);
    EXPECT_FALSE(rtc_.line()) << second;
  }
  Pass(1000 * kMs);
  EXPECT_TRUE(rtc_.line());
  EXPECT_EQ(Read(kC) & 0xa0, 0xa0);
}

TEST_F(RtcTest, AnAlarmThatAPauseSkippedIsStillGiven) {
  Write(kHoursAlarm, 0x05);
  Write(kMinutesAlarm, 0x06);
  Write(kSecondsAlarm, 0x07);
  Write(kB, k24 | kAie);
  Pass(7 * 86'400'000ull * kMs);
  EXPECT_TRUE(rtc_.line());
}

TEST_F(RtcTest, DoNotCareAlarmComesEverySecond) {
  for (uint8_t index : {kHoursAlarm, kMinutesAlarm, kSecondsAlarm}) Write(index, 0xff);
  Write(kB, k24 | kAie);
  for (int i = 0; i < 3; ++i) {
    Pass(1000 * kMs);
    EXPECT_EQ(Read(kC) & 0x20, 0x20);
  }
}

class PeriodicRateTest : public RtcTest, public testing::WithParamInterface<int> {};

// Table 5 of the datasheet, 32.768 kHz time base.
constexpr double kPeriodMs[16] = {
    0,       3.90625, 7.8125, 0.1220703125, 0.244140625, 0.48828125, 0.9765625, 1.953125,
    3.90625, 7.8125,  15.625, 31.25,        62.5,        125,        250,       500};

TEST_P(PeriodicRateTest, InterruptsAtTheDatasheetsPeriod) {
  const int rate = GetParam();
  Write(kA, static_cast<uint8_t>(0x20 | rate));
  Write(kB, k24 | kPie);
  int interrupts = 0;
  while (rtc_.NextEvent(now_) <= 2000 * kMs) {
    const uint64_t next = rtc_.NextEvent(now_);
    ASSERT_GT(next, now_);
    now_ = next;
    rtc_.Advance(now_);
    ASSERT_TRUE(rtc_.line());
    Read(kC);
    ++interrupts;
  }
  EXPECT_EQ(interrupts, rate == 0 ? 0 : static_cast<int>(2000 / kPeriodMs[rate]));
}
INSTANTIATE_TEST_SUITE_P(Rates, PeriodicRateTest, testing::Range(0, 16));

TEST_F(RtcTest, MissedPeriodsAreOneInterrupt) {
  Write(kB, k24 | kPie);
  Pass(500 * kMs);
  EXPECT_EQ(Read(kC) & 0x40, 0x40);
  EXPECT_FALSE(rtc_.line());
  EXPECT_GT(rtc_.NextEvent(now_), now_);
}

TEST_F(RtcTest, APeriodFlagIsThereForPollingWithoutItsInterrupt) {
  EXPECT_EQ(rtc_.NextEvent(now_), kNever);
  Pass(1 * kMs);
  EXPECT_EQ(Read(kC), 0x40);
}

TEST_F(RtcTest, TheIndexCannotBeReadAndItsTopBitIsTheNmiMask) {
  EXPECT_EQ(rtc_.Read(0x70, now_), 0xff);
  Write(0x80 | 0x20, 0x77);
  EXPECT_EQ(Read(0x20), 0x77);
}

TEST_F(RtcTest, TheRestIsMemory) {
  for (uint8_t index = 14; index < 128; ++index) {
    if (!IsClockRegister(index)) Write(index, static_cast<uint8_t>(index ^ 0xff));
  }
  for (uint8_t index = 14; index < 128; ++index) {
    if (IsClockRegister(index)) continue;
    EXPECT_EQ(Read(index), index ^ 0xff);
  }
}

TEST_F(RtcTest, RegisterDSaysTheTimeIsValidAndCAndDAreReadOnly) {
  Write(kC, 0xff);
  Write(kD, 0x00);
  EXPECT_EQ(Read(kC), 0);
  EXPECT_EQ(Read(kD), 0x80);
}

}  // namespace
}  // namespace hv::timer
