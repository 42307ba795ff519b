#include <cstring>
#include <set>

#include "gtest/gtest.h"
#include "vcpu_svc/local_apic.h"

namespace hv::vcpu {
namespace {

using R = ApicRegister;

constexpr uint32_t kAllOnes = 0xffffffff;

class XapicRegistersTest : public testing::Test {
 protected:
  XapicRegistersTest() {
    apic_.Reset(0x25, false);
    Write(R::kSvr, 0x1ff);
  }
  Effects Write(uint32_t number, uint32_t value, uint64_t now_ns = 0) {
    Effects effects;
    apic_.WritePage(number, value, now_ns, effects);
    return effects;
  }
  uint32_t Read(uint32_t number, uint64_t now_ns = 0) { return apic_.ReadPage(number, now_ns); }
  // What is read after `value` was written.
  uint32_t Kept(uint32_t number, uint32_t value) {
    Write(number, value);
    return Read(number);
  }
  uint32_t Errors() {
    Write(R::kEsr, 0);
    return Read(R::kEsr);
  }
  InterruptMessage Command(uint32_t high, uint32_t low) {
    Write(R::kIcrHigh, high);
    const Effects effects = Write(R::kIcrLow, low);
    EXPECT_TRUE(effects.command.has_value());
    return effects.command.value_or(InterruptMessage{});
  }

  LocalApicState state_{};
  LocalApic apic_{state_};
};

TEST_F(XapicRegistersTest, FixedRegisters) {
  EXPECT_EQ(Read(R::kId), 0x25000000u);
  EXPECT_EQ(Read(R::kVersion), 0x01050014u);
  EXPECT_EQ(Read(R::kApr), 0u);
  EXPECT_EQ(Read(R::kRemoteRead), 0u);
  EXPECT_EQ(Read(R::kEoi), 0u);
  EXPECT_EQ(Errors(), 0u);
}

TEST_F(XapicRegistersTest, RegistersKeepTheirWritableBits) {
  EXPECT_EQ(Kept(R::kTpr, kAllOnes), 0xffu);
  EXPECT_EQ(Kept(R::kLdr, kAllOnes), 0xff000000u);
  EXPECT_EQ(Kept(R::kDfr, 0), 0x0fffffffu);
  EXPECT_EQ(Kept(R::kDfr, 0xf0000000), kAllOnes);
  EXPECT_EQ(Kept(R::kSvr, kAllOnes), 0x11ffu);
  EXPECT_EQ(Kept(R::kIcrHigh, kAllOnes), 0xff000000u);
  EXPECT_EQ(Kept(R::kIcrLow, kAllOnes), 0x000ccfffu);  // idle, whatever was written
  EXPECT_EQ(Kept(R::kInitialCount, kAllOnes), kAllOnes);
  EXPECT_EQ(Kept(R::kDivide, kAllOnes), 0xbu);
  EXPECT_EQ(Errors(), 0u);
}

TEST_F(XapicRegistersTest, LvtEntriesKeepTheirWritableBits) {
  EXPECT_EQ(Kept(R::kLvtTimer, kAllOnes), 0x000700ffu);
  EXPECT_EQ(Kept(0x33, kAllOnes), 0x000107ffu);  // thermal
  EXPECT_EQ(Kept(0x34, kAllOnes), 0x000107ffu);  // performance
  EXPECT_EQ(Kept(0x35, kAllOnes), 0x0001a7ffu);  // LINT0
  EXPECT_EQ(Kept(0x36, kAllOnes), 0x0001a7ffu);  // LINT1
  EXPECT_EQ(Kept(R::kLvtError, kAllOnes), 0x000100ffu);
}

TEST_F(XapicRegistersTest, ReadOnlyRegistersIgnoreWritesWithoutAnError) {
  std::set<uint32_t> numbers = {R::kId,  R::kVersion,    R::kApr,
                                R::kPpr, R::kRemoteRead, R::kCurrentCount};
  for (uint32_t i = 0; i < 24; ++i) numbers.insert(R::kIsr + i);
  for (const uint32_t number : numbers) {
    const LocalApicState before = state_;
    Write(number, kAllOnes);
    EXPECT_EQ(std::memcmp(&before, &state_, sizeof(state_)), 0) << std::hex << number;
  }
}

TEST_F(XapicRegistersTest, RequestsServiceAndTriggerModesShowInWords) {
  for (const uint8_t vector : {uint8_t{0x1f}, uint8_t{0x20}, uint8_t{0xff}}) {
    apic_.Accept(vector, true);
    apic_.Acknowledge(vector);
    apic_.Accept(vector, true);
  }
  for (const uint32_t first : {R::kIsr, R::kTmr, R::kIrr}) {
    EXPECT_EQ(Read(first + 0), 0x80000000u);
    EXPECT_EQ(Read(first + 1), 0x00000001u);
    EXPECT_EQ(Read(first + 4), 0u);
    EXPECT_EQ(Read(first + 7), 0x80000000u);
  }
  EXPECT_EQ(Read(R::kPpr), 0xf0u);
}

TEST_F(XapicRegistersTest, ReservedRegistersAreErrorsOfReadsAndWrites) {
  std::set<uint32_t> known = {R::kId,  R::kVersion, R::kTpr, R::kApr, R::kPpr,    R::kEoi,
                              R::kLdr, R::kDfr,     R::kSvr, R::kEsr, R::kIcrLow, R::kIcrHigh};
  known.insert({R::kRemoteRead, R::kInitialCount, R::kCurrentCount, R::kDivide});
  for (uint32_t i = 0; i < 24; ++i) known.insert(R::kIsr + i);
  for (uint32_t i = 0; i < kLvtEntries; ++i) known.insert(R::kLvtTimer + i);
  for (uint32_t number = 0; number < 0x100; ++number) {
    if (known.count(number) != 0) continue;
    EXPECT_EQ(Read(number), 0u);
    EXPECT_EQ(Errors(), ApicError::kIllegalRegister) << std::hex << number;
    Write(number, kAllOnes);
    EXPECT_EQ(Errors(), ApicError::kIllegalRegister) << std::hex << number;
  }
  for (const uint32_t number : known) Read(number);
  EXPECT_EQ(Errors(), 0u);
}

TEST_F(XapicRegistersTest, AWriteOfTheErrorStatusHasNoValue) {
  Write(R::kEsr, kAllOnes);
  EXPECT_EQ(Read(R::kEsr), 0u);
}

// The interrupt command register.

TEST_F(XapicRegistersTest, CommandsOfEveryDeliveryMode) {
  for (uint32_t mode = 0; mode < 8; ++mode) {
    const InterruptMessage command = Command(0x07000000, mode << 8 | 1u << 14 | 0x41);
    EXPECT_EQ(command.delivery_mode, mode);
    EXPECT_EQ(command.vector, 0x41);
    EXPECT_EQ(command.destination.id, 7u);
    EXPECT_FALSE(command.destination.logical);
    EXPECT_FALSE(command.destination.from_outside);
    EXPECT_EQ(command.shorthand, Shorthand::kNone);
    EXPECT_TRUE(command.asserts);
  }
}

TEST_F(XapicRegistersTest, CommandsToLogicalDestinationsAndShorthands) {
  EXPECT_TRUE(Command(0x03000000, 1u << 11 | 0x41).destination.logical);
  EXPECT_EQ(Command(0, 1u << 18 | 0x41).shorthand, Shorthand::kSelf);
  EXPECT_EQ(Command(0, 2u << 18 | 0x41).shorthand, Shorthand::kAll);
  EXPECT_EQ(Command(0, 3u << 18 | 0x41).shorthand, Shorthand::kAllButSelf);
}

TEST_F(XapicRegistersTest, InterprocessorInterruptsAreEdges) {
  const InterruptMessage command = Command(0, 1u << 15 | 0x41);  // level-triggered, not asserted
  EXPECT_FALSE(command.level_triggered);
  EXPECT_TRUE(command.asserts);
}

TEST_F(XapicRegistersTest, InitIsDeassertedByLevelTriggerWithoutAssertion) {
  constexpr uint32_t kInit = HV_DELIVERY_INIT << 8, kAssert = 1u << 14, kLevel = 1u << 15;
  EXPECT_FALSE(Command(0, kInit | kLevel).asserts);
  EXPECT_TRUE(Command(0, kInit | kLevel | kAssert).asserts);
  EXPECT_TRUE(Command(0, kInit).asserts);
}

TEST_F(XapicRegistersTest, AnIllegalVectorIsNotSent) {
  for (const uint32_t mode : {HV_DELIVERY_FIXED, HV_DELIVERY_LOWEST_PRIORITY}) {
    EXPECT_FALSE(Write(R::kIcrLow, mode << 8 | 15).command.has_value());
    EXPECT_EQ(Errors(), ApicError::kSendIllegalVector);
    EXPECT_TRUE(Write(R::kIcrLow, mode << 8 | 16).command.has_value());
  }
  EXPECT_TRUE(Write(R::kIcrLow, HV_DELIVERY_STARTUP << 8 | 8).command.has_value());
  EXPECT_EQ(Errors(), 0u);
}

TEST_F(XapicRegistersTest, TheHighHalfSendsNothing) {
  EXPECT_FALSE(Write(R::kIcrHigh, 0x01000000).command.has_value());
}

// The timer's registers.

TEST_F(XapicRegistersTest, TheCurrentCountRunsFromTheWriteOfTheInitialCount) {
  Write(R::kDivide, 0xb);
  EXPECT_TRUE(Write(R::kInitialCount, 1000, 5000).timer_changed);
  EXPECT_EQ(Read(R::kCurrentCount, 5400), 600u);
  EXPECT_EQ(Read(R::kInitialCount, 5400), 1000u);
  EXPECT_EQ(Read(R::kCurrentCount, 6000), 0u);
}

TEST_F(XapicRegistersTest, ADivideTellsANewDeadlineOnlyWhenOneIsAwaited) {
  EXPECT_FALSE(Write(R::kDivide, 0).timer_changed);
  Write(R::kInitialCount, 1000);
  EXPECT_TRUE(Write(R::kDivide, 3).timer_changed);
  EXPECT_FALSE(Write(R::kDivide, 3).timer_changed);
}

TEST_F(XapicRegistersTest, TheTimerModeChangesTheDeadlineOnlyWhereItDisarms) {
  Write(R::kInitialCount, 1000);
  EXPECT_FALSE(Write(R::kLvtTimer, 1u << 17 | 0x40).timer_changed);
  EXPECT_TRUE(Write(R::kLvtTimer, 2u << 17 | 0x40).timer_changed);
  EXPECT_EQ(Read(R::kInitialCount), 0u);
}

TEST_F(XapicRegistersTest, TheInitialCountIsIgnoredInTscDeadlineMode) {
  Write(R::kLvtTimer, 2u << 17 | 0x40);
  EXPECT_FALSE(Write(R::kInitialCount, 1000).timer_changed);
  EXPECT_EQ(Read(R::kInitialCount), 0u);
  EXPECT_EQ(Read(R::kCurrentCount, 10), 0u);
}

}  // namespace
}  // namespace hv::vcpu
