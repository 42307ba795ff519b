#include "timer_svc/i8254_counter.h"

#include "timer_svc/test_counter.h"

namespace hv::timer {
namespace {

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
