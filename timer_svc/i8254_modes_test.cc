// The six modes by the waveforms of the 8254 datasheet, with one clock for the loading of a count
// left out: the count is in force from the tick at which it is written.
#include <iterator>

#include "timer_svc/test_counter.h"

namespace hv::timer {
namespace {

using CounterModesTest = CounterTest;

TEST_F(CounterModesTest, Mode0GoesHighAtTerminalCountAndStays) {
  Program(0, 4);
  EXPECT_EQ(Wave(kT, 8), "LLLLHHHH");
  EXPECT_TRUE(counter_.Output(kT + 0x20000));
}

TEST_F(CounterModesTest, Mode0CountsOnBelowZero) {
  Program(0, 4);
  EXPECT_EQ(Read(kT), 4);
  EXPECT_EQ(Read(kT + 3), 1);
  EXPECT_EQ(Read(kT + 4), 0);
  EXPECT_EQ(Read(kT + 5), 0xffff);
}

TEST_F(CounterModesTest, Mode0RisesOnce) {
  Program(0, 4);
  EXPECT_EQ(counter_.NextEvent(kT), kT + 4);
  EXPECT_FALSE(counter_.TakeRise(kT + 3));
  EXPECT_TRUE(counter_.TakeRise(kT + 4));
  EXPECT_EQ(counter_.NextEvent(kT + 4), kNever);
  EXPECT_FALSE(counter_.TakeRise(kT + 0x30000));
}

TEST_F(CounterModesTest, Mode0StartsOverWithANewCount) {
  Program(0, 4);
  Count(6, kT + 2);
  EXPECT_EQ(Wave(kT + 2, 8), "LLLLLLHH");
}

TEST_F(CounterModesTest, Mode0StopsWithTheFirstByteOfANewCount) {
  Program(0, 4);
  EXPECT_TRUE(counter_.Output(kT + 5));
  counter_.Write(6, kT + 6);
  EXPECT_FALSE(counter_.Output(kT + 50));
  EXPECT_EQ(counter_.NextEvent(kT + 50), kNever);
  counter_.Write(0, kT + 60);
  EXPECT_EQ(counter_.NextEvent(kT + 60), kT + 66);
}

TEST_F(CounterModesTest, Mode0PausesWhileTheGateIsLow) {
  Program(0, 10);
  counter_.SetGate(false, kT + 4);
  EXPECT_EQ(Read(kT + 100), 6);
  EXPECT_FALSE(counter_.Output(kT + 100));
  counter_.SetGate(true, kT + 100);
  EXPECT_EQ(Read(kT + 101), 5);
  EXPECT_EQ(counter_.NextEvent(kT + 101), kT + 106);
}

TEST_F(CounterModesTest, Mode0StaysHighThoughTheGateFalls) {
  Program(0, 4);
  counter_.SetGate(false, kT + 10);
  EXPECT_TRUE(counter_.Output(kT + 20));
}

TEST_F(CounterModesTest, Mode0WithoutGateWaitsAtItsCount) {
  counter_.SetGate(false, 0);
  Program(0, 10);
  EXPECT_EQ(Read(kT + 50), 10);
  counter_.SetGate(true, kT + 50);
  EXPECT_EQ(Read(kT + 51), 9);
}

TEST_F(CounterModesTest, Mode1IsAOneShotThatTheGateTriggersAgain) {
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

TEST_F(CounterModesTest, Mode1RetriggeredEarlyLastsLonger) {
  counter_.SetGate(false, 0);
  Program(1, 3);
  counter_.SetGate(true, kT + 10);
  counter_.SetGate(false, kT + 11);
  counter_.SetGate(true, kT + 12);
  EXPECT_EQ(Wave(kT + 12, 5), "LLLHH");
}

TEST_F(CounterModesTest, Mode1TakesANewCountAtTheNextTrigger) {
  counter_.SetGate(false, 0);
  Program(1, 4);
  counter_.SetGate(true, kT + 10);
  Count(2, kT + 11);
  EXPECT_EQ(Wave(kT + 11, 4), "LLLH");
  counter_.SetGate(false, kT + 20);
  counter_.SetGate(true, kT + 21);
  EXPECT_EQ(Wave(kT + 21, 4), "LLHH");
}

TEST_F(CounterModesTest, Mode2IsLowForTheLastClockOfEachPeriod) {
  Program(2, 3);
  EXPECT_EQ(Wave(kT, 9), "HHLHHLHHL");
  EXPECT_EQ(Read(kT + 9), 3);
  EXPECT_EQ(Read(kT + 11), 1);
}

TEST_F(CounterModesTest, Mode2RisesOnceAPeriod) {
  Program(2, 1000);
  EXPECT_EQ(counter_.NextEvent(kT), kT + 1000);
  EXPECT_FALSE(counter_.TakeRise(kT + 999));
  EXPECT_TRUE(counter_.TakeRise(kT + 1000));
  EXPECT_FALSE(counter_.TakeRise(kT + 1000));
  EXPECT_EQ(counter_.NextEvent(kT + 1000), kT + 2000);
}

TEST_F(CounterModesTest, ManyMissedPeriodsAreOneRise) {
  Program(2, 1000);
  EXPECT_TRUE(counter_.TakeRise(kT + 1'000'500));
  EXPECT_FALSE(counter_.TakeRise(kT + 1'000'600));
  EXPECT_EQ(counter_.NextEvent(kT + 1'000'600), kT + 1'001'000) << "in phase with the first";
}

TEST_F(CounterModesTest, Mode2FinishesItsPeriodBeforeANewCount) {
  Program(2, 5);
  Count(3, kT + 7);
  EXPECT_EQ(Wave(kT + 7, 9), "HHLHHLHHL");
  EXPECT_EQ(Read(kT + 16), 3);
}

TEST_F(CounterModesTest, ARiseAtTheChangeOfCountsIsSeenOnce) {
  Program(2, 1000);
  Count(400, kT + 500);
  EXPECT_EQ(counter_.NextEvent(kT + 500), kT + 1000);
  EXPECT_TRUE(counter_.TakeRise(kT + 1100));
  EXPECT_FALSE(counter_.TakeRise(kT + 1399));
  EXPECT_TRUE(counter_.TakeRise(kT + 1400));
}

TEST_F(CounterModesTest, TheLastOfSeveralNewCountsCounts) {
  Program(2, 5);
  Count(9, kT + 1);
  Count(3, kT + 2);
  EXPECT_EQ(Wave(kT + 5, 6), "HHLHHL");
}

TEST_F(CounterModesTest, AGateRestartsMode2AndForcesItHigh) {
  Program(2, 3);
  counter_.SetGate(false, kT + 2);
  EXPECT_EQ(Wave(kT + 2, 4), "HHHH");
  counter_.SetGate(true, kT + 10);
  EXPECT_EQ(Wave(kT + 10, 6), "HHLHHL");
}

TEST_F(CounterModesTest, Mode3IsHighForHalfOfEachPeriod) {
  Program(3, 4);
  EXPECT_EQ(Wave(kT, 8), "HHLLHHLL");
}

TEST_F(CounterModesTest, Mode3WithAnOddCountIsHighOneClockLonger) {
  Program(3, 5);
  EXPECT_EQ(Wave(kT, 10), "HHHLLHHHLL");
}

TEST_F(CounterModesTest, Mode3CountsDownByTwo) {
  Program(3, 6);
  EXPECT_EQ(Read(kT), 6);
  EXPECT_EQ(Read(kT + 1), 4);
  EXPECT_EQ(Read(kT + 2), 2);
  EXPECT_EQ(Read(kT + 3), 6);
}

TEST_F(CounterModesTest, Mode3WithAnOddCountCountsFromTheEvenOneBelow) {
  Program(3, 5);
  const uint16_t expected[] = {4, 2, 0, 4, 2, 4};
  for (uint64_t i = 0; i < std::size(expected); ++i) EXPECT_EQ(Read(kT + i), expected[i]) << i;
}

TEST_F(CounterModesTest, Mode3TakesANewCountAtTheEndOfTheHigh) {
  Program(3, 8);
  Count(4, kT + 1);
  EXPECT_EQ(Wave(kT, 12), "HHHHLLHHLLHH");
}

TEST_F(CounterModesTest, Mode3TakesANewCountAtTheEndOfTheLow) {
  Program(3, 8);
  Count(4, kT + 5);
  EXPECT_EQ(Wave(kT + 4, 12), "LLLLHHLLHHLL");
}

TEST_F(CounterModesTest, Mode3RisesAtTheEndOfItsLow) {
  Program(3, 1000);
  EXPECT_FALSE(counter_.TakeRise(kT + 999));
  EXPECT_TRUE(counter_.TakeRise(kT + 1000));
  Count(600, kT + 1100);
  // High until 1500, then the new low of 300.
  EXPECT_EQ(counter_.NextEvent(kT + 1100), kT + 1500);
  EXPECT_FALSE(counter_.TakeRise(kT + 1799));
  EXPECT_TRUE(counter_.TakeRise(kT + 1800));
}

TEST_F(CounterModesTest, Mode4StrobesOnceAndRisesAClockAfter) {
  Program(4, 3);
  EXPECT_EQ(Wave(kT, 7), "HHHLHHH");
  EXPECT_EQ(counter_.NextEvent(kT + 7), kNever);
}

TEST_F(CounterModesTest, Mode4IsRearmedByEachCount) {
  Program(4, 300);
  EXPECT_EQ(counter_.NextEvent(kT), kT + 301);
  Count(300, kT + 100);
  EXPECT_EQ(counter_.NextEvent(kT + 100), kT + 401);
  EXPECT_FALSE(counter_.TakeRise(kT + 400));
  EXPECT_TRUE(counter_.TakeRise(kT + 401));
  EXPECT_EQ(counter_.NextEvent(kT + 401), kNever);
  EXPECT_FALSE(counter_.TakeRise(kT + 0x20000));
}

TEST_F(CounterModesTest, Mode4PausesWhileTheGateIsLow) {
  Program(4, 10);
  counter_.SetGate(false, kT + 4);
  EXPECT_EQ(Read(kT + 100), 6);
  counter_.SetGate(true, kT + 100);
  EXPECT_EQ(Wave(kT + 105, 3), "HLH");
}

TEST_F(CounterModesTest, Mode5StrobesAfterTheGateRises) {
  counter_.SetGate(false, 0);
  Program(5, 3);
  EXPECT_EQ(Wave(kT, 6), "HHHHHH");
  counter_.SetGate(true, kT + 10);
  EXPECT_EQ(Wave(kT + 10, 6), "HHHLHH");
  EXPECT_EQ(Status(kT + 20) & 0x40, 0);
}

TEST_F(CounterModesTest, Modes6And7Are2And3) {
  Program(6, 3);
  EXPECT_EQ(state_.mode, 2);
  Program(7, 3);
  EXPECT_EQ(state_.mode, 3);
}

}  // namespace
}  // namespace hv::timer
