#include "timer_svc/i8254.h"

#include "gtest/gtest.h"
#include "timer_svc/rate.h"

namespace hv::timer {
namespace {

constexpr uint16_t kPit = 0x40, kControl = 0x43, kSpeaker = 0x61;

class I8254Test : public testing::Test {
 protected:
  I8254Test() { pit_.Reset(); }

  void Program(int counter, uint8_t mode, uint16_t count, uint64_t tick = 0) {
    pit_.Write(kControl, static_cast<uint8_t>(counter << 6 | 0x30 | mode << 1), tick);
    pit_.Write(static_cast<uint16_t>(kPit + counter), static_cast<uint8_t>(count), tick);
    pit_.Write(static_cast<uint16_t>(kPit + counter), static_cast<uint8_t>(count >> 8), tick);
  }
  uint16_t Read(int counter, uint64_t tick) {
    const auto port = static_cast<uint16_t>(kPit + counter);
    const uint8_t low = pit_.Read(port, tick);
    return static_cast<uint16_t>(low | pit_.Read(port, tick) << 8);
  }

  I8254State state_{};
  I8254 pit_{state_};
};

TEST_F(I8254Test, NothingCountsUntilProgrammed) {
  EXPECT_EQ(pit_.NextEvent(0), kNever);
  EXPECT_FALSE(pit_.TakeRise(1'000'000));
}

TEST_F(I8254Test, CountersAreIndependent) {
  Program(0, 2, 1000);
  Program(1, 2, 500);
  Program(2, 0, 300);
  EXPECT_EQ(Read(0, 10), 990);
  EXPECT_EQ(Read(1, 10), 490);
  EXPECT_EQ(Read(2, 10), 300) << "its gate is low";
}

TEST_F(I8254Test, TheLatchCommandLatchesOneCounter) {
  Program(0, 2, 1000);
  Program(1, 2, 1000);
  pit_.Write(kControl, 0x00, 10);
  EXPECT_EQ(Read(0, 100), 990);
  EXPECT_EQ(Read(1, 100), 900);
}

TEST_F(I8254Test, ReadBackLatchesCountsOfTheCountersNamed) {
  Program(0, 2, 1000);
  Program(1, 2, 1000);
  pit_.Write(kControl, 0xc0 | 0x10 | 0x02 | 0x04, 10);
  EXPECT_EQ(Read(0, 100), 990);
  EXPECT_EQ(Read(1, 100), 990);
  pit_.Write(kControl, 0xc0 | 0x10 | 0x04, 110);
  EXPECT_EQ(Read(0, 200), 800) << "not named";
  EXPECT_EQ(Read(1, 200), 890);
}

TEST_F(I8254Test, ReadBackLatchesStatusAlone) {
  Program(0, 2, 1000);
  pit_.Write(kControl, 0xc0 | 0x20 | 0x02, 10);
  EXPECT_EQ(pit_.Read(kPit, 100), 0xb4);
  EXPECT_EQ(Read(0, 100), 900);
}

TEST_F(I8254Test, ReadBackOfBothGivesStatusThenCount) {
  Program(0, 2, 1000);
  pit_.Write(kControl, 0xc0 | 0x02, 10);
  EXPECT_EQ(pit_.Read(kPit, 100), 0xb4);
  EXPECT_EQ(Read(0, 100), 990);
}

TEST_F(I8254Test, TheControlWordCannotBeRead) { EXPECT_EQ(pit_.Read(kControl, 0), 0xff); }

TEST_F(I8254Test, TheSpeakerPortOpensTheGateOfCounter2) {
  Program(2, 0, 100);
  EXPECT_EQ(pit_.Read(kSpeaker, 500) & 0x20, 0);
  pit_.Write(kSpeaker, 0x01, 1000);
  EXPECT_EQ(pit_.Read(kSpeaker, 1099) & 0x20, 0);
  EXPECT_EQ(pit_.Read(kSpeaker, 1100) & 0x20, 0x20);
}

TEST_F(I8254Test, TheSpeakerPortKeepsTwoBits) {
  pit_.Write(kSpeaker, 0xff, 0);
  EXPECT_EQ(pit_.Read(kSpeaker, 0) & 0x0f, 0x03);
  pit_.Write(kSpeaker, 0x02, 0);
  EXPECT_EQ(pit_.Read(kSpeaker, 0) & 0x0f, 0x02);
}

TEST_F(I8254Test, TheRefreshBitToggles) {
  const uint8_t before = pit_.Read(kSpeaker, 0) & 0x10;
  EXPECT_NE(pit_.Read(kSpeaker, 18) & 0x10, before);
  EXPECT_EQ(pit_.Read(kSpeaker, 36) & 0x10, before);
}

TEST_F(I8254Test, OnlyCounter0Interrupts) {
  Program(1, 2, 1000);
  EXPECT_EQ(pit_.NextEvent(0), kNever);
  Program(0, 2, 1000);
  EXPECT_EQ(pit_.NextEvent(0), 1000u);
  EXPECT_TRUE(pit_.TakeRise(1000));
}

TEST_F(I8254Test, ItsPortsAreFourAndTheSpeakers) {
  for (uint16_t port : {0x40, 0x41, 0x42, 0x43, 0x61}) EXPECT_TRUE(I8254::Has(port));
  for (uint16_t port : {0x3f, 0x44, 0x60, 0x62}) EXPECT_FALSE(I8254::Has(port));
}

}  // namespace
}  // namespace hv::timer
