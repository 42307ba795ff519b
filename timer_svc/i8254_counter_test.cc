// The six modes by the waveforms of the 8254 datasheet, with one clock for the loading of a count
// left out: the count is in force from the tick at which it is written.
#include "timer_svc/i8254_counter.h"

#include <iterator>
#include <string>

#include "gtest/gtest.h"
#include "timer_svc/rate.h"

namespace hv::timer {
namespace {

constexpr uint64_t kT = 1000;  // when counts are written

class CounterTest : public testing::Test {
 protected:
  CounterTest() { state_.gate = 1; }

  void Control(int mode, bool bcd = false, int access = 3) {
    counter_.SetControl(static_cast<uint8_t>(access << 4 | mode << 1 | (bcd ? 1 : 0)), kT);
  }
  void Count(uint16_t count, uint64_t tick = kT) {
    counter_.Write(static_cast<uint8_t>(count), tick);
    counter_.Write(static_cast<uint8_t>(count >> 8), tick);
  }
  void Program(int mode, uint16_t count, bool bcd = false) {
    Control(mode, bcd);
    Count(count);
  }
  uint16_t Read(uint64_t tick) {
    counter_.LatchCount(tick);
    const uint8_t low = counter_.Read(tick);
    return static_cast<uint16_t>(low | counter_.Read(tick) << 8);
  }
  uint8_t Status(uint64_t tick) {
    counter_.LatchStatus(tick);
    return counter_.Read(tick);
  }
  // The output from `from` on, a character a tick: H or L.
  std::string Wave(uint64_t from, int ticks) {
    std::string wave;
    for (int i = 0; i < ticks; ++i)
      wave += counter_.Output(from + static_cast<uint64_t>(i)) ? 'H' : 'L';
    return wave;
  }

  CounterState state_{};
  Counter counter_{state_};
};

TEST_F(CounterTest, Mode0GoesHighAtTerminalCountAndStays) {
  Program(0, 4);
  EXPECT_EQ(Wave(kT, 8), "LLLLHHHH");
  EXPECT_TRUE(counter_.Output(kT + 0x20000));
}

TEST_F(CounterTest, Mode0CountsOnBelowZero) {
  Program(0, 4);
  EXPECT_EQ(Read(kT), 4);
  EXPECT_EQ(Read(kT + 3), 1);
  EXPECT_EQ(Read(kT + 4), 0);
  EXPECT_EQ(Read(kT + 5), 0xffff);
}

TEST_F(CounterTest, Mode0RisesOnce) {
  Program(0, 4);
  EXPECT_EQ(counter_.NextEvent(kT), kT + 4);
  EXPECT_FALSE(counter_.TakeRise(kT + 3));
  EXPECT_TRUE(counter_.TakeRise(kT + 4));
  EXPECT_EQ(counter_.NextEvent(kT + 4), kNever);
  EXPECT_FALSE(counter_.TakeRise(kT + 0x30000));
}

TEST_F(CounterTest, Mode0StartsOverWithANewCount) {
  Program(0, 4);
  Count(6, kT + 2);
  EXPECT_EQ(Wave(kT + 2, 8), "LLLLLLHH");
}

TEST_F(CounterTest, Mode0StopsWithTheFirstByteOfANewCount) {
  Program(0, 4);
  EXPECT_TRUE(counter_.Output(kT + 5));
  counter_.Write(6, kT + 6);
  EXPECT_FALSE(counter_.Output(kT + 50));
  EXPECT_EQ(counter_.NextEvent(kT + 50), kNever);
  counter_.Write(0, kT + 60);
  EXPECT_EQ(counter_.NextEvent(kT + 60), kT + 66);
}

TEST_F(CounterTest, Mode0PausesWhileTheGateIsLow) {
  Program(0, 10);
  counter_.SetGate(false, kT + 4);
  EXPECT_EQ(Read(kT + 100), 6);
  EXPECT_FALSE(counter_.Output(kT + 100));
  counter_.SetGate(true, kT + 100);
  EXPECT_EQ(Read(kT + 101), 5);
  EXPECT_EQ(counter_.NextEvent(kT + 101), kT + 106);
}

TEST_F(CounterTest, Mode0StaysHighThoughTheGateFalls) {
  Program(0, 4);
  counter_.SetGate(false, kT + 10);
  EXPECT_TRUE(counter_.Output(kT + 20));
}

TEST_F(CounterTest, Mode0WithoutGateWaitsAtItsCount) {
  counter_.SetGate(false, 0);
  Program(0, 10);
  EXPECT_EQ(Read(kT + 50), 10);
  counter_.SetGate(true, kT + 50);
  EXPECT_EQ(Read(kT + 51), 9);
}

TEST_F(CounterTest, Mode1IsAOneShotThatTheGateTriggersAgain) {
  counter_.SetGate(false, 0);
  Program(1, 3);
  EXPECT_EQ(Wave(kT, 5), "HHHHH");
  counter_.SetGate(true, kT + 10);
  EXPECT_EQ(Wave(kT + 10, 5), "LLLHH");
  counter_.SetGate(false, kT + 20);
  counter_.SetGate(true, kT + 21);
  EXPECT_TRUE(counter_.Output(kT + 20 + 20));
  counter_.SetGate(false, kT + 50);
  counter_.SetGate(true, kT + 51);
  counter_.SetGate(false, kT + 52);
  EXPECT_EQ(Wave(kT + 52, 3), "LLH") << "a falling gate does not end it";
}

TEST_F(CounterTest, Mode1RetriggeredEarlyLastsLonger) {
  counter_.SetGate(false, 0);
  Program(1, 3);
  counter_.SetGate(true, kT + 10);
  counter_.SetGate(false, kT + 11);
  counter_.SetGate(true, kT + 12);
  EXPECT_EQ(Wave(kT + 12, 5), "LLLHH");
}

TEST_F(CounterTest, Mode1TakesANewCountAtTheNextTrigger) {
  counter_.SetGate(false, 0);
  Program(1, 4);
  counter_.SetGate(true, kT + 10);
  Count(2, kT + 11);
  EXPECT_EQ(Wave(kT + 11, 4), "LLLH");
  counter_.SetGate(false, kT + 20);
  counter_.SetGate(true, kT + 21);
  EXPECT_EQ(Wave(kT + 21, 4), "LLHH");
}

TEST_F(CounterTest, Mode2IsLowForTheLastClockOfEachPeriod) {
  Program(2, 3);
  EXPECT_EQ(Wave(kT, 9), "HHLHHLHHL");
  EXPECT_EQ(Read(kT + 9), 3);
  EXPECT_EQ(Read(kT + 11), 1);
}

TEST_F(CounterTest, Mode2RisesOnceAPeriod) {
  Program(2, 1000);
  EXPECT_EQ(counter_.NextEvent(kT), kT + 1000);
  EXPECT_FALSE(counter_.TakeRise(kT + 999));
  EXPECT_TRUE(counter_.TakeRise(kT + 1000));
  EXPECT_FALSE(counter_.TakeRise(kT + 1000));
  EXPECT_EQ(counter_.NextEvent(kT + 1000), kT + 2000);
}

TEST_F(CounterTest, ManyMissedPeriodsAreOneRise) {
  Program(2, 1000);
  EXPECT_TRUE(counter_.TakeRise(kT + 1'000'500));
  EXPECT_FALSE(counter_.TakeRise(kT + 1'000'600));
  EXPECT_EQ(counter_.NextEvent(kT + 1'000'600), kT + 1'001'000) << "in phase with the first";
}

TEST_F(CounterTest, Mode2FinishesItsPeriodBeforeANewCount) {
  Program(2, 5);
  Count(3, kT + 7);
  EXPECT_EQ(Wave(kT + 7, 9), "HHLHHLHHL");
  EXPECT_EQ(Read(kT + 16), 3);
}

TEST_F(CounterTest, ARiseAtTheChangeOfCountsIsSeenOnce) {
  Program(2, 1000);
  Count(400, kT + 500);
  EXPECT_EQ(counter_.NextEvent(kT + 500), kT + 1000);
  EXPECT_TRUE(counter_.TakeRise(kT + 1100));
  EXPECT_FALSE(counter_.TakeRise(kT + 1399));
  EXPECT_TRUE(counter_.TakeRise(kT + 1400));
}

TEST_F(CounterTest, TheLastOfSeveralNewCountsCounts) {
  Program(2, 5);
  Count(9, kT + 1);
  Count(3, kT + 2);
  EXPECT_EQ(Wave(kT + 5, 6), "HHLHHL");
}

TEST_F(CounterTest, AGateRestartsMode2AndForcesItHigh) {
  Program(2, 3);
  counter_.SetGate(false, kT + 2);
  EXPECT_EQ(Wave(kT + 2, 4), "HHHH");
  counter_.SetGate(true, kT + 10);
  EXPECT_EQ(Wave(kT + 10, 6), "HHLHHL");
}

TEST_F(CounterTest, Mode3IsHighForHalfOfEachPeriod) {
  Program(3, 4);
  EXPECT_EQ(Wave(kT, 8), "HHLLHHLL");
}

TEST_F(CounterTest, Mode3WithAnOddCountIsHighOneClockLonger) {
  Program(3, 5);
  EXPECT_EQ(Wave(kT, 10), "HHHLLHHHLL");
}

TEST_F(CounterTest, Mode3CountsDownByTwo) {
  Program(3, 6);
  EXPECT_EQ(Read(kT), 6);
  EXPECT_EQ(Read(kT + 1), 4);
  EXPECT_EQ(Read(kT + 2), 2);
  EXPECT_EQ(Read(kT + 3), 6);
}

TEST_F(CounterTest, Mode3WithAnOddCountCountsFromTheEvenOneBelow) {
  Program(3, 5);
  const uint16_t expected[] = {4, 2, 0, 4, 2, 4};
  for (uint64_t i = 0; i < std::size(expected); ++i) EXPECT_EQ(Read(kT + i), expected[i]) << i;
}

TEST_F(CounterTest, Mode3TakesANewCountAtTheEndOfTheHigh) {
  Program(3, 8);
  Count(4, kT + 1);
  EXPECT_EQ(Wave(kT, 12), "HHHHLLHHLLHH");
}

TEST_F(CounterTest, Mode3TakesANewCountAtTheEndOfTheLow) {
  Program(3, 8);
  Count(4, kT + 5);
  EXPECT_EQ(Wave(kT + 4, 12), "LLLLHHLLHHLL");
}

TEST_F(CounterTest, Mode3RisesAtTheEndOfItsLow) {
  Program(3, 1000);
  EXPECT_FALSE(counter_.TakeRise(kT + 999));
  EXPECT_TRUE(counter_.TakeRise(kT + 1000));
  Count(600, kT + 1100);
  // High until 1500, then the new low of 300.
  EXPECT_EQ(counter_.NextEvent(kT + 1100), kT + 1500);
  EXPECT_FALSE(counter_.TakeRise(kT + 1799));
  EXPECT_TRUE(counter_.TakeRise(kT + 1800));
}

TEST_F(CounterTest, Mode4StrobesOnceAndRisesAClockAfter) {
  Program(4, 3);
  EXPECT_EQ(Wave(kT, 7), "HHHLHHH");
  EXPECT_EQ(counter_.NextEvent(kT + 7), kNever);
}

TEST_F(CounterTest, Mode4IsRearmedByEachCount) {
  Program(4, 300);
  EXPECT_EQ(counter_.NextEvent(kT), kT + 301);
  Count(300, kT + 100);
  EXPECT_EQ(counter_.NextEvent(kT + 100), kT + 401);
  EXPECT_FALSE(counter_.TakeRise(kT + 400));
  EXPECT_TRUE(counter_.TakeRise(kT + 401));
  EXPECT_EQ(counter_.NextEvent(kT + 401), kNever);
  EXPECT_FALSE(counter_.TakeRise(kT + 0x20000));
}

TEST_F(CounterTest, Mode4PausesWhileTheGateIsLow) {
  Program(4, 10);
  counter_.SetGate(false, kT + 4);
  EXPECT_EQ(Read(kT + 100), 6);
  counter_.SetGate(true, kT + 100);
  EXPECT_EQ(Wave(kT + 105, 3), "HLH");
}

TEST_F(CounterTest, Mode5StrobesAfterTheGateRises) {
  counter_.SetGate(false, 0);
  Program(5, 3);
  EXPECT_EQ(Wave(kT, 6), "HHHHHH");
  counter_.SetGate(true, kT + 10);
  EXPECT_EQ(Wave(kT + 10, 6), "HHHLHH");
  EXPECT_EQ(Status(kT + 20) & 0x40, 0);
}

TEST_F(CounterTest, Modes6And7Are2And3) {
  Program(6, 3);
  EXPECT_EQ(state_.mode, 2);
  Program(7, 3);
  EXPECT_EQ(state_.mode, 3);
}

TEST_F(CounterTest, CountZeroIsTheLargest) {
  Program(2, 0);
  EXPECT_EQ(counter_.NextEvent(kT), kT + 0x10000);
  EXPECT_EQ(Read(kT), 0);
  EXPECT_EQ(Read(kT + 1), 0xffff);
}

TEST_F(CounterTest, CountZeroInBcdIsTenThousand) {
  Program(2, 0, true);
  EXPECT_EQ(counter_.NextEvent(kT), kT + 10000);
  EXPECT_EQ(Read(kT + 1), 0x9999);
}

TEST_F(CounterTest, BcdCountsInDecimal) {
  Program(2, 0x0123, true);
  EXPECT_EQ(Read(kT), 0x0123);
  EXPECT_EQ(Read(kT + 23), 0x0100);
  EXPECT_EQ(Read(kT + 24), 0x0099);
  EXPECT_EQ(counter_.NextEvent(kT + 24), kT + 123);
}

TEST_F(CounterTest, BcdMode0WrapsAtTenThousand) {
  Program(0, 0x0001, true);
  EXPECT_EQ(Read(kT + 2), 0x9999);
}

TEST_F(CounterTest, LowOnlyAndHighOnlyTakeOneByte) {
  Control(2, false, 1);
  counter_.Write(0x80, kT);
  EXPECT_EQ(counter_.NextEvent(kT), kT + 0x80);
  EXPECT_EQ(counter_.Read(kT + 1), 0x7f);
  Control(2, false, 2);
  counter_.Write(0x02, kT + 2);
  EXPECT_EQ(counter_.NextEvent(kT + 2), kT + 2 + 0x200);
  EXPECT_EQ(counter_.Read(kT + 3), 0x01);
  EXPECT_EQ(counter_.Read(kT + 3), 0x01);
}

TEST_F(CounterTest, BothBytesAreReadLowThenHigh) {
  Program(2, 0x1234);
  EXPECT_EQ(counter_.Read(kT), 0x34);
  EXPECT_EQ(counter_.Read(kT), 0x12);
  EXPECT_EQ(counter_.Read(kT), 0x34);
}

TEST_F(CounterTest, ACountIsNotInForceUntilBothBytesAreThere) {
  Program(2, 1000);
  counter_.Write(0x10, kT + 10);
  EXPECT_EQ(counter_.NextEvent(kT + 2500), kT + 3000);
}

TEST_F(CounterTest, ReadsAndWritesHaveFlipFlopsOfTheirOwn) {
  Program(2, 0x1234);
  EXPECT_EQ(counter_.Read(kT), 0x34);
  counter_.Write(0x78, kT);
  EXPECT_EQ(counter_.Read(kT), 0x12);
  counter_.Write(0x56, kT);
  EXPECT_EQ(state_.next_reload, 0x5678u);
}

TEST_F(CounterTest, AControlWordResetsTheFlipFlopsAndLatches) {
  Program(2, 0x1234);
  counter_.Read(kT);
  counter_.Write(0x55, kT);
  counter_.LatchCount(kT);
  counter_.LatchStatus(kT);
  Program(2, 0x1234);
  EXPECT_EQ(counter_.Read(kT), 0x34);
  EXPECT_EQ(counter_.Read(kT), 0x12);
}

TEST_F(CounterTest, ALatchedCountHoldsUntilItIsRead) {
  Program(2, 0x1234);
  counter_.LatchCount(kT + 4);
  counter_.LatchCount(kT + 10);  // ignored
  EXPECT_EQ(counter_.Read(kT + 20), 0x30);
  EXPECT_EQ(counter_.Read(kT + 30), 0x12);
  EXPECT_EQ(counter_.Read(kT + 0x34), 0x00) << "the running count again";
}

TEST_F(CounterTest, LatchingDoesNotDisturbTheCount) {
  Program(2, 1000);
  counter_.LatchCount(kT + 500);
  EXPECT_EQ(counter_.NextEvent(kT + 500), kT + 1000);
}

TEST_F(CounterTest, StatusComesBeforeTheCountWhenBothAreLatched) {
  Program(2, 0x1234);
  counter_.LatchStatus(kT);
  counter_.LatchCount(kT);
  EXPECT_EQ(counter_.Read(kT), 0x80 | 3 << 4 | 2 << 1);
  EXPECT_EQ(counter_.Read(kT), 0x34);
  EXPECT_EQ(counter_.Read(kT), 0x12);
}

TEST_F(CounterTest, StatusShowsOutputModeAccessAndBcd) {
  Program(0, 4, true);
  EXPECT_EQ(Status(kT), 0x31);
  EXPECT_EQ(Status(kT + 4), 0xb1);
}

TEST_F(CounterTest, ALatchedStatusHoldsUntilItIsRead) {
  Program(0, 4);
  counter_.LatchStatus(kT);
  counter_.LatchStatus(kT + 10);
  EXPECT_EQ(counter_.Read(kT + 10) & 0x80, 0);
}

TEST_F(CounterTest, NullCountUntilACountIsInForce) {
  Control(2);
  EXPECT_EQ(Status(kT) & 0x40, 0x40);
  counter_.Write(100, kT);
  EXPECT_EQ(Status(kT) & 0x40, 0x40) << "half of it";
  counter_.Write(0, kT);
  EXPECT_EQ(Status(kT) & 0x40, 0);
  Count(50, kT + 10);
  EXPECT_EQ(Status(kT + 99) & 0x40, 0x40) << "the period is not over";
  EXPECT_EQ(Status(kT + 100) & 0x40, 0);
}

TEST_F(CounterTest, NullCountInModes1And5UntilTheTrigger) {
  counter_.SetGate(false, 0);
  for (int mode : {1, 5}) {
    Program(mode, 3);
    EXPECT_EQ(Status(kT) & 0x40, 0x40);
  }
  counter_.SetGate(true, kT + 1);
  EXPECT_EQ(Status(kT + 1) & 0x40, 0);
}

TEST_F(CounterTest, TheOutputAfterAControlWordIsLowInMode0Alone) {
  for (int mode = 0; mode < 6; ++mode) {
    Control(mode);
    EXPECT_EQ(counter_.Output(kT), mode != 0) << mode;
    EXPECT_EQ(counter_.NextEvent(kT), kNever) << mode;
  }
}

TEST_F(CounterTest, AnAbsurdRateIsServedSlowly) {
  Program(2, 2);
  const uint64_t next = counter_.NextEvent(kT);
  EXPECT_GE(NsUntil(next - kT, 1'193'182), kShortestPeriodNs - 1000);
  EXPECT_TRUE(counter_.TakeRise(next));
}

}  // namespace
}  // namespace hv::timer
