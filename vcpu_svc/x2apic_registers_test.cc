#include <cstring>
#include <set>

#include "abi/platform.h"
#include "gtest/gtest.h"
#include "vcpu_svc/local_apic.h"

namespace hv::vcpu {
namespace {

using R = ApicRegister;

class X2apicRegistersTest : public testing::Test {
 protected:
  X2apicRegistersTest() {
    apic_.Reset(0x25, false);
    Effects effects;
    EXPECT_TRUE(apic_.WriteBase(state_.base | ApicBase::kX2apic, effects));
    EXPECT_TRUE(Write(R::kSvr, 0x1ff));
  }
  bool Write(uint32_t number, uint64_t value) {
    effects_ = {};
    return apic_.WriteMsr(number, value, 0, effects_);
  }
  std::optional<uint64_t> Read(uint32_t number) { return apic_.ReadMsr(number, 0); }
  // A write of a single bit, with the registers as they were afterwards.
  bool AcceptsBit(uint32_t number, int bit) {
    const LocalApicState before = state_;
    const bool accepted = Write(number, 1ull << bit);
    if (!accepted) {
      EXPECT_EQ(std::memcmp(&before, &state_, sizeof(state_)), 0) << std::hex << number;
    }
    state_ = before;
    return accepted;
  }
  uint64_t AcceptedBits(uint32_t number) {
    uint64_t bits = 0;
    for (int bit = 0; bit < 64; ++bit) bits |= uint64_t{AcceptsBit(number, bit)} << bit;
    return bits;
  }

  LocalApicState state_{};
  LocalApic apic_{state_};
  Effects effects_;
};

TEST_F(X2apicRegistersTest, TheseCanBeReadAndNoOthers) {
  std::set<uint32_t> readable = {R::kId,           R::kVersion, R::kTpr, R::kPpr,
                                 R::kLdr,          R::kSvr,     R::kEsr, R::kInitialCount,
                                 R::kCurrentCount, R::kDivide};
  readable.insert(R::kIcrLow);
  for (uint32_t i = 0; i < 24; ++i) readable.insert(R::kIsr + i);
  for (uint32_t i = 0; i < kLvtEntries; ++i) readable.insert(R::kLvtTimer + i);
  for (uint32_t number = 0; number < 0x100; ++number) {
    EXPECT_EQ(Read(number).has_value(), readable.count(number) != 0) << std::hex << number;
  }
}

TEST_F(X2apicRegistersTest, TheseCanBeWrittenAndNoOthers) {
  std::set<uint32_t> writable = {R::kTpr,    R::kEoi,          R::kSvr,    R::kEsr,
                                 R::kIcrLow, R::kInitialCount, R::kDivide, R::kSelfIpi};
  for (uint32_t i = 0; i < kLvtEntries; ++i) writable.insert(R::kLvtTimer + i);
  for (uint32_t number = 0; number < 0x100; ++number) {
    EXPECT_EQ(Write(number, 0), writable.count(number) != 0) << std::hex << number;
  }
}

TEST_F(X2apicRegistersTest, ReservedBitsAreRefused) {
  EXPECT_EQ(AcceptedBits(R::kTpr), 0xffu);
  EXPECT_EQ(AcceptedBits(R::kEoi), 0u);
  EXPECT_EQ(AcceptedBits(R::kEsr), 0u);
  EXPECT_EQ(AcceptedBits(R::kSvr), 0x11ffu);
  EXPECT_EQ(AcceptedBits(R::kIcrLow), 0xffffffff000cdfffu);  // bit 12, idle or not, is ignored
  EXPECT_EQ(AcceptedBits(R::kInitialCount), 0xffffffffu);
  EXPECT_EQ(AcceptedBits(R::kDivide), 0xbu);
  EXPECT_EQ(AcceptedBits(R::kSelfIpi), 0xffu);
}

TEST_F(X2apicRegistersTest, ReadOnlyBitsOfLvtEntriesMayBeWrittenBack) {
  EXPECT_EQ(AcceptedBits(R::kLvtTimer), 0x000750ffu);
  EXPECT_EQ(AcceptedBits(0x34), 0x000157ffu);
  EXPECT_EQ(AcceptedBits(0x35), 0x0001f7ffu);
  EXPECT_EQ(AcceptedBits(R::kLvtError), 0x000150ffu);
  ASSERT_TRUE(Write(0x35, 0x1f7ff));
  EXPECT_EQ(Read(0x35), 0x1a7ffu);
}

TEST_F(X2apicRegistersTest, IdsAreWholeWords) {
  EXPECT_EQ(Read(R::kId), 0x25u);
  EXPECT_EQ(Read(R::kLdr), 0x00020020u);
}

TEST_F(X2apicRegistersTest, LogicalIdsAreClustersOfSixteen) {
  EXPECT_EQ(X2apicLogicalId(0), 0x00000001u);
  EXPECT_EQ(X2apicLogicalId(15), 0x00008000u);
  EXPECT_EQ(X2apicLogicalId(16), 0x00010001u);
  EXPECT_EQ(X2apicLogicalId(63), 0x00038000u);
}

TEST_F(X2apicRegistersTest, ACommandIsOneWrite) {
  ASSERT_TRUE(Write(R::kIcrLow, 0x00030010'00000841));
  ASSERT_TRUE(effects_.command.has_value());
  EXPECT_EQ(effects_.command->destination.id, 0x30010u);
  EXPECT_TRUE(effects_.command->destination.logical);
  EXPECT_EQ(effects_.command->vector, 0x41);
  EXPECT_EQ(Read(R::kIcrLow), 0x00030010'00000841u);
}

TEST_F(X2apicRegistersTest, SelfIpiIsAFixedInterruptToOneself) {
  ASSERT_TRUE(Write(R::kSelfIpi, 0x41));
  ASSERT_TRUE(effects_.command.has_value());
  EXPECT_EQ(effects_.command->shorthand, Shorthand::kSelf);
  EXPECT_EQ(effects_.command->delivery_mode, HV_DELIVERY_FIXED);
  EXPECT_EQ(effects_.command->vector, 0x41);
  EXPECT_FALSE(effects_.command->level_triggered);
}

TEST_F(X2apicRegistersTest, SelfIpiOfAnIllegalVectorIsSentAndReceivedInError) {
  ASSERT_TRUE(Write(R::kSelfIpi, 0x0f));
  EXPECT_FALSE(effects_.command.has_value());
  ASSERT_TRUE(Write(R::kEsr, 0));
  EXPECT_EQ(Read(R::kEsr), ApicError::kSendIllegalVector | ApicError::kReceiveIllegalVector);
}

TEST_F(X2apicRegistersTest, ARefusedAccessIsNoErrorOfTheApic) {
  EXPECT_FALSE(Write(0x3e + 2, 1));
  EXPECT_FALSE(Read(0x00).has_value());
  ASSERT_TRUE(Write(R::kEsr, 0));
  EXPECT_EQ(Read(R::kEsr), 0u);
}

TEST_F(X2apicRegistersTest, EndOfInterruptWorksAsInXapicMode) {
  apic_.Accept(0x80, true);
  apic_.Acknowledge(0x80);
  ASSERT_TRUE(Write(R::kEoi, 0));
  EXPECT_EQ(effects_.end_of_level, 0x80);
}

TEST_F(X2apicRegistersTest, InTheOtherModesThereAreNoRegisters) {
  state_.base = HV_LOCAL_APIC_BASE | ApicBase::kEnable;
  EXPECT_FALSE(Read(R::kId).has_value());
  EXPECT_FALSE(Write(R::kTpr, 0));
  state_.base = HV_LOCAL_APIC_BASE;
  EXPECT_FALSE(Read(R::kId).has_value());
  EXPECT_FALSE(Write(R::kTpr, 0));
}

}  // namespace
}  // namespace hv::vcpu
