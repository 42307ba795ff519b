#include "timer_svc/hpet.h"

#include "abi/platform.h"
#include "gtest/gtest.h"
#include "timer_svc/rate.h"

namespace hv::timer {
namespace {

// Registers and bits as the specification has them.
constexpr uint64_t kCapabilities = 0x00, kConfig = 0x10, kStatus = 0x20, kCounter = 0xf0;
constexpr uint64_t kEnable = 1, kLegacy = 2;
constexpr uint64_t kLevel = 0x002, kInterrupt = 0x004, kPeriodic = 0x008, kSetValue = 0x040,
                   k32Bit = 0x100;
constexpr uint64_t kRoute20 = 20 << 9, kRoute21 = 21 << 9;
constexpr uint32_t kGsi20 = 1u << 20, kGsi21 = 1u << 21;

class HpetTest : public testing::Test {
 protected:
  static uint64_t TimerConfig(int timer) { return 0x100 + 0x20 * static_cast<uint64_t>(timer); }
  static uint64_t Comparator(int timer) { return TimerConfig(timer) + 8; }

  uint64_t Read(uint64_t offset) { return hpet_.Read(offset, 8, now_); }
  void Write(uint64_t offset, uint64_t value, uint32_t width = 8) {
    hpet_.Write(offset, width, value, now_);
  }
  uint32_t Run(uint64_t tick) {
    now_ = tick;
    return hpet_.Advance(tick);
  }
  void Enable() { Write(kConfig, kEnable); }
  void OneShot(int timer, uint64_t config, uint64_t at) {
    Write(TimerConfig(timer), config | kInterrupt);
    Write(Comparator(timer), at);
  }
  void Repeat(int timer, uint64_t config, uint64_t first, uint64_t period) {
    Write(TimerConfig(timer), config | kInterrupt | kPeriodic | kSetValue);
    Write(Comparator(timer), first);
    Write(Comparator(timer), period);
  }

  HpetState state_{};
  Hpet hpet_{state_};
  uint64_t now_ = 100'000;
};

TEST_F(HpetTest, CapabilitiesSayThreeWideTimersWithLegacyReplacement) {
  const uint64_t capabilities = Read(kCapabilities);
  EXPECT_EQ(capabilities >> 32, HV_HPET_PERIOD_FS);
  EXPECT_LE(capabilities >> 32, 0x05f5e100u) << "no slower than 100 ns";
  EXPECT_EQ(capabilities >> 16 & 0xffff, 0x8086u);
  EXPECT_EQ(capabilities & 0xffff, 0xa201u);
  Write(kCapabilities, 0);
  EXPECT_EQ(Read(kCapabilities), capabilities) << "read-only";
}

TEST_F(HpetTest, TimersCanRepeatAreWideAndOfferFourRoutesButNoMessages) {
  for (int timer = 0; timer < kHpetTimers; ++timer) {
    EXPECT_EQ(Read(TimerConfig(timer)), 0x00f0'0000'0000'0030u);
    Write(TimerConfig(timer) + 0x10, UINT64_MAX);
    EXPECT_EQ(Read(TimerConfig(timer) + 0x10), 0u);
  }
  EXPECT_EQ(Read(TimerConfig(3)), 0u) << "there is no fourth";
}

TEST_F(HpetTest, TheCounterStandsUntilEnabled) {
  Run(200'000);
  EXPECT_EQ(Read(kCounter), 0u);
  Enable();
  Run(200'500);
  EXPECT_EQ(Read(kCounter), 500u);
  Write(kConfig, 0);
  Run(300'000);
  EXPECT_EQ(Read(kCounter), 500u);
  Enable();
  Run(300'001);
  EXPECT_EQ(Read(kCounter), 501u);
}

TEST_F(HpetTest, TheCounterIsWrittenOnlyWhileHalted) {
  Write(kCounter, 0x1234'5678'9abc'def0);
  EXPECT_EQ(Read(kCounter), 0x1234'5678'9abc'def0u);
  Enable();
  Write(kCounter, 7);
  EXPECT_EQ(Read(kCounter), 0x1234'5678'9abc'def0u);
}

TEST_F(HpetTest, RegistersAreReadAndWrittenByHalves) {
  Write(kCounter, 0x1111'1111, 4);
  Write(kCounter + 4, 0x2222'2222, 4);
  EXPECT_EQ(Read(kCounter), 0x2222'2222'1111'1111u);
  EXPECT_EQ(hpet_.Read(kCounter, 4, now_), 0x1111'1111u);
  EXPECT_EQ(hpet_.Read(kCounter + 4, 4, now_), 0x2222'2222u);
  EXPECT_EQ(hpet_.Read(kCapabilities + 4, 4, now_), HV_HPET_PERIOD_FS);
  EXPECT_EQ(hpet_.Read(kCapabilities + 2, 2, now_), 0x8086u);
}

TEST_F(HpetTest, MisalignedAndNarrowWritesAreIgnored) {
  Write(kCounter, UINT64_MAX, 1);
  Write(kCounter, UINT64_MAX, 2);
  Write(kCounter + 2, UINT64_MAX, 4);
  Write(kCounter + 4, UINT64_MAX, 8);
  EXPECT_EQ(Read(kCounter), 0u);
}

TEST_F(HpetTest, ReservedBitsStayZero) {
  Write(kConfig, UINT64_MAX);
  EXPECT_EQ(Read(kConfig), 3u);
  Write(TimerConfig(0), UINT64_MAX & ~(0x1full << 9));
  EXPECT_EQ(Read(TimerConfig(0)) & 0xffffffff, 0x17eu);
  Write(0x18, UINT64_MAX);
  EXPECT_EQ(Read(0x18), 0u);
}

TEST_F(HpetTest, ARouteThatIsNotOfferedDoesNotReadBack) {
  Write(TimerConfig(0), kRoute21);
  EXPECT_EQ(Read(TimerConfig(0)) & 0x3e00, kRoute21);
  Write(TimerConfig(0), 4 << 9);
  EXPECT_EQ(Read(TimerConfig(0)) & 0x3e00, 0u);
}

TEST_F(HpetTest, AOneShotFiresOnceAsAnEdge) {
  Enable();
  OneShot(2, kRoute20, 1000);
  EXPECT_EQ(hpet_.NextEvent(now_), now_ + 1000);
  EXPECT_EQ(Run(100'999), 0u);
  EXPECT_EQ(Run(101'000), kGsi20);
  EXPECT_EQ(hpet_.NextEvent(now_), kNever);
  EXPECT_EQ(Run(500'000), 0u);
  EXPECT_EQ(Read(kStatus), 0u) << "an edge leaves no status";
}

TEST_F(HpetTest, AWideComparatorInThePastDoesNotFire) {
  Enable();
  Run(150'000);
  OneShot(2, kRoute20, 1000);
  EXPECT_EQ(hpet_.NextEvent(now_), kNever);
}

TEST_F(HpetTest, A32BitComparatorFiresAgainWhenTheCounterWraps) {
  Enable();
  OneShot(2, kRoute20 | k32Bit, 1000);
  EXPECT_EQ(Run(101'000), kGsi20);
  EXPECT_EQ(hpet_.NextEvent(now_), now_ + 0x1'0000'0000);
  EXPECT_EQ(Run(now_ + 0x1'0000'0000), kGsi20);
}

TEST_F(HpetTest, Switching32BitModeOnCutsTheComparator) {
  Write(Comparator(0), 0x5'0000'0010);
  Write(TimerConfig(0), k32Bit);
  EXPECT_EQ(Read(Comparator(0)), 0x10u);
  Write(Comparator(0) + 4, 0xff, 4);
  EXPECT_EQ(Read(Comparator(0)), 0x10u);
}

TEST_F(HpetTest, APeriodicTimerFiresEachPeriodAfterItsFirst) {
  Enable();
  Repeat(2, kRoute20, 30'000, 20'000);
  EXPECT_EQ(Run(129'999), 0u);
  EXPECT_EQ(Run(130'000), kGsi20);
  EXPECT_EQ(Read(Comparator(2)), 50'000u);
  EXPECT_EQ(hpet_.NextEvent(now_), 150'000u);
  EXPECT_EQ(Run(150'000), kGsi20);
}

TEST_F(HpetTest, MissedPeriodsAreOneEdgeInPhase) {
  Enable();
  Repeat(2, kRoute20, 30'000, 20'000);
  EXPECT_EQ(Run(100'000 + 10'000'005), kGsi20);
  EXPECT_EQ(Run(now_ + 1), 0u);
  EXPECT_EQ(Read(Comparator(2)), 10'010'000u);
}

TEST_F(HpetTest, WithoutSetValueOnlyThePeriodIsWritten) {
  Enable();
  Repeat(2, kRoute20, 30'000, 20'000);
  Write(Comparator(2), 50'000);
  EXPECT_EQ(Read(Comparator(2)), 30'000u);
  Run(130'000);
  EXPECT_EQ(Read(Comparator(2)), 80'000u);
}

TEST_F(HpetTest, SetValueLastsForOneWriteAndNeedsPeriodicMode) {
  Write(TimerConfig(0), kPeriodic | kSetValue);
  EXPECT_EQ(Read(TimerConfig(0)) & kSetValue, kSetValue);
  Write(Comparator(0), 1);
  EXPECT_EQ(Read(TimerConfig(0)) & kSetValue, 0u);
  Write(TimerConfig(0), kSetValue);
  EXPECT_EQ(Read(TimerConfig(0)) & kSetValue, 0u);
}

TEST_F(HpetTest, TheHalvesOfAnAccumulatorAreSetOneByOne) {
  Write(TimerConfig(0), kPeriodic | kSetValue);
  Write(Comparator(0), 0x10, 4);
  Write(TimerConfig(0), kPeriodic | kSetValue);
  Write(Comparator(0) + 4, 0x2, 4);
  EXPECT_EQ(Read(Comparator(0)), 0x2'0000'0010u);
}

TEST_F(HpetTest, APeriodicTimerKeepsItsPhaseWhileItsInterruptIsOff) {
  Enable();
  Repeat(2, kRoute20, 30'000, 20'000);
  Write(TimerConfig(2), kPeriodic | kRoute20);
  EXPECT_EQ(hpet_.NextEvent(now_), kNever);
  EXPECT_EQ(Run(195'000), 0u);
  Write(TimerConfig(2), kPeriodic | kRoute20 | kInterrupt);
  EXPECT_EQ(hpet_.NextEvent(now_), 210'000u);
}

TEST_F(HpetTest, A32BitPeriodicTimerRepeatsAcrossTheWrap) {
  Write(kCounter, 0xffff'0000);
  Enable();
  Repeat(2, kRoute20 | k32Bit, 0xffff'8000, 0x10000);
  EXPECT_EQ(Run(100'000 + 0x8000), kGsi20);
  EXPECT_EQ(Read(Comparator(2)), 0x8000u);
  EXPECT_EQ(Run(100'000 + 0x17fff), 0u);
  EXPECT_EQ(Run(100'000 + 0x18000), kGsi20);
}

TEST_F(HpetTest, ALevelInterruptStandsUntilItsStatusIsWrittenOne) {
  Enable();
  OneShot(1, kRoute21 | kLevel, 1000);
  EXPECT_EQ(Run(101'000), 0u) << "no edge";
  EXPECT_EQ(hpet_.Lines(), kGsi21);
  EXPECT_EQ(Read(kStatus), 2u);
  Write(kStatus, 5);
  EXPECT_EQ(hpet_.Lines(), kGsi21);
  Write(kStatus, 2);
  EXPECT_EQ(Read(kStatus), 0u);
  EXPECT_EQ(hpet_.Lines(), 0u);
}

TEST_F(HpetTest, ASharedLevelStandsUntilTheLastIsCleared) {
  Enable();
  OneShot(0, kRoute20 | kLevel, 1000);
  OneShot(1, kRoute20 | kLevel, 1000);
  Run(101'000);
  Write(kStatus, 1);
  EXPECT_EQ(hpet_.Lines(), kGsi20);
  Write(kStatus, 2);
  EXPECT_EQ(hpet_.Lines(), 0u);
}

TEST_F(HpetTest, AMatchWithItsInterruptOffSetsStatusAndNoLine) {
  Enable();
  Write(TimerConfig(0), kRoute20 | kLevel);
  Write(Comparator(0), 1000);
  Run(101'000);
  EXPECT_EQ(Read(kStatus), 1u);
  EXPECT_EQ(hpet_.Lines(), 0u);
  Write(TimerConfig(0), kRoute20 | kLevel | kInterrupt);
  EXPECT_EQ(hpet_.Lines(), kGsi20);
}

TEST_F(HpetTest, HaltingLowersTheLines) {
  Enable();
  OneShot(0, kRoute20 | kLevel, 1000);
  Run(101'000);
  Write(kConfig, 0);
  EXPECT_EQ(hpet_.Lines(), 0u);
  EXPECT_EQ(hpet_.NextEvent(now_), kNever);
}

TEST_F(HpetTest, LegacyReplacementGivesTimers0And1TheIsaInterrupts) {
  Write(kConfig, kEnable | kLegacy);
  EXPECT_TRUE(hpet_.legacy_routing());
  OneShot(0, kRoute20, 1000);
  OneShot(1, kRoute20, 1000);
  OneShot(2, kRoute21, 1000);
  EXPECT_EQ(Run(101'000), 1u << HV_GSI_PIT | 1u << HV_GSI_RTC | kGsi21);
}

TEST_F(HpetTest, LegacyReplacementNeedsTheEnable) {
  Write(kConfig, kLegacy);
  EXPECT_FALSE(hpet_.legacy_routing());
}

TEST_F(HpetTest, ATimerWithoutARouteInterruptsNobody) {
  Enable();
  OneShot(0, 0, 1000);
  OneShot(1, kLevel, 1000);
  EXPECT_EQ(Run(101'000), 0u);
  EXPECT_EQ(hpet_.Lines(), 0u);
}

TEST_F(HpetTest, AnAbsurdRateIsServedSlowly) {
  Enable();
  Repeat(0, kRoute20, 1, 1);
  EXPECT_EQ(hpet_.NextEvent(now_), now_ + 10'000) << "100 us";
  EXPECT_EQ(Run(now_ + 10'000), kGsi20);
}

TEST_F(HpetTest, APeriodOfZeroIsAOneShot) {
  Enable();
  Repeat(0, kRoute20, 1000, 0);
  EXPECT_EQ(Run(101'000), kGsi20);
  EXPECT_EQ(hpet_.NextEvent(now_), kNever);
}

}  // namespace
}  // namespace hv::timer
