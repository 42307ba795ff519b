#include "ioapic_svc/ioapic.h"

#include <vector>

#include "gtest/gtest.h"
#include "ioapic_svc/redirection_entry.h"

namespace hv::ioapic {
namespace {

constexpr uint64_t kEdge = 0x0100000000000041, kLevel = 0x0100000000008041;
constexpr uint64_t kMasked = RedirectionEntry::kMasked;

class IoapicTest : public testing::Test {
 protected:
  IoapicTest() { ioapic_.Reset(); }

  uint32_t ReadIndex(uint32_t index) {
    Write(0x00, index);
    return ioapic_.Read(0x10);
  }
  std::optional<hv_interrupt> WriteIndex(uint32_t index, uint32_t value) {
    Write(0x00, index);
    return Write(0x10, value);
  }
  std::optional<hv_interrupt> Write(uint64_t offset, uint32_t value) {
    ended_.reset();
    return ioapic_.Write(offset, value, ended_);
  }
  // Writes both halves, the one with the mask last, as systems do.
  std::optional<hv_interrupt> SetEntry(uint32_t input, uint64_t entry) {
    WriteIndex(0x11 + 2 * input, static_cast<uint32_t>(entry >> 32));
    return WriteIndex(0x10 + 2 * input, static_cast<uint32_t>(entry));
  }
  uint64_t Entry(uint32_t input) {
    return ReadIndex(0x10 + 2 * input) | uint64_t{ReadIndex(0x11 + 2 * input)} << 32;
  }
  bool RemoteIrr(uint32_t input) { return RedirectionEntry(Entry(input)).remote_irr(); }
  std::vector<hv_interrupt> End(uint8_t vector) {
    std::vector<hv_interrupt> again;
    ioapic_.EndOfInterrupt(vector, [&](const hv_interrupt& one) { again.push_back(one); });
    return again;
  }

  IoapicState state_{};
  Ioapic ioapic_{state_};
  std::optional<uint8_t> ended_;
};

TEST_F(IoapicTest, ResetMasksEveryInput) {
  for (uint32_t input = 0; input < Ioapic::kInputs; ++input) EXPECT_EQ(Entry(input), kMasked);
}

TEST_F(IoapicTest, VersionSaysTwentyFourInputsAndAnEoiRegister) {
  EXPECT_EQ(ReadIndex(1), 0x00170020u);
  WriteIndex(1, 0);
  EXPECT_EQ(ReadIndex(1), 0x00170020u) << "read-only";
}

TEST_F(IoapicTest, TheIdHasFourBitsAndLoadsTheArbitrationId) {
  WriteIndex(0, 0xffffffff);
  EXPECT_EQ(ReadIndex(0), 0x0f000000u);
  EXPECT_EQ(ReadIndex(2), 0x0f000000u);
  WriteIndex(2, 0);
  EXPECT_EQ(ReadIndex(2), 0x0f000000u) << "read-only";
}

TEST_F(IoapicTest, TheSelectRegisterHasEightBits) {
  Write(0x00, 0xffffff01);
  EXPECT_EQ(ioapic_.Read(0x00), 0x01u);
}

TEST_F(IoapicTest, RegistersThatAreNotThereReadZeroAndTakeNothing) {
  for (uint32_t index : {0x03u, 0x0fu, 0x40u, 0xffu}) {
    EXPECT_FALSE(WriteIndex(index, 0xffffffff).has_value());
    EXPECT_EQ(ReadIndex(index), 0u) << index;
  }
  EXPECT_EQ(ioapic_.Read(0x20), 0u);
  EXPECT_EQ(ioapic_.Read(0x40), 0u) << "the EOI register is write-only";
}

TEST_F(IoapicTest, StatusRemoteIrrAndReservedBitsAreNotWritable) {
  SetEntry(5, UINT64_MAX);
  EXPECT_EQ(Entry(5), 0xff0000000001afffull);
}

TEST_F(IoapicTest, AnEdgeIsDeliveredOnceForEachRise) {
  SetEntry(4, kEdge);
  const auto interrupt = ioapic_.SetLine(4, true);
  ASSERT_TRUE(interrupt.has_value());
  EXPECT_EQ(interrupt->vector, 0x41);
  EXPECT_EQ(interrupt->destination, 1u);
  EXPECT_EQ(interrupt->level, 0);
  EXPECT_FALSE(ioapic_.SetLine(4, true).has_value());
  EXPECT_FALSE(ioapic_.SetLine(4, false).has_value());
  EXPECT_TRUE(ioapic_.SetLine(4, true).has_value());
  EXPECT_FALSE(RemoteIrr(4));
}

TEST_F(IoapicTest, AnEdgeWhileMaskedIsLost) {
  SetEntry(4, kEdge | kMasked);
  EXPECT_FALSE(ioapic_.SetLine(4, true).has_value());
  EXPECT_FALSE(SetEntry(4, kEdge).has_value());
}

TEST_F(IoapicTest, ALevelIsDeliveredOnceUntilItsEoi) {
  SetEntry(9, kLevel);
  EXPECT_EQ(ioapic_.SetLine(9, true)->level, 1);
  EXPECT_TRUE(RemoteIrr(9));
  ioapic_.SetLine(9, false);
  EXPECT_FALSE(ioapic_.SetLine(9, true).has_value());
}

TEST_F(IoapicTest, ALevelStillAssertedIsDeliveredAgainAtItsEoi) {
  SetEntry(9, kLevel);
  ioapic_.SetLine(9, true);
  EXPECT_EQ(End(0x41).size(), 1u);
  EXPECT_TRUE(RemoteIrr(9));
  ioapic_.SetLine(9, false);
  EXPECT_TRUE(End(0x41).empty());
  EXPECT_FALSE(RemoteIrr(9));
}

TEST_F(IoapicTest, AnEoiEndsEveryInputOfItsVectorAndNoOther) {
  SetEntry(9, kLevel);
  SetEntry(10, kLevel);
  SetEntry(11, kLevel + 1);
  for (uint32_t input : {9u, 10u, 11u}) ioapic_.SetLine(input, true);
  EXPECT_EQ(End(0x41).size(), 2u);
  ioapic_.SetLine(11, false);
  EXPECT_TRUE(RemoteIrr(11));
}

TEST_F(IoapicTest, UnmaskingDeliversAnAssertedLevel) {
  SetEntry(9, kLevel | kMasked);
  EXPECT_FALSE(ioapic_.SetLine(9, true).has_value());
  EXPECT_TRUE(SetEntry(9, kLevel).has_value());
}

TEST_F(IoapicTest, ALevelThatFellWhileMaskedIsForgotten) {
  SetEntry(9, kLevel | kMasked);
  ioapic_.SetLine(9, true);
  ioapic_.SetLine(9, false);
  EXPECT_FALSE(SetEntry(9, kLevel).has_value());
}

TEST_F(IoapicTest, AnEoiWhileMaskedClearsRemoteIrrAndUnmaskingDelivers) {
  SetEntry(9, kLevel);
  ioapic_.SetLine(9, true);
  SetEntry(9, kLevel | kMasked);
  EXPECT_TRUE(RemoteIrr(9));
  EXPECT_TRUE(End(0x41).empty());
  EXPECT_FALSE(RemoteIrr(9));
  EXPECT_TRUE(SetEntry(9, kLevel).has_value());
}

TEST_F(IoapicTest, SwitchingToEdgeClearsRemoteIrr) {
  SetEntry(9, kLevel);
  ioapic_.SetLine(9, true);
  SetEntry(9, kEdge | kMasked);
  EXPECT_FALSE(RemoteIrr(9));
  EXPECT_TRUE(SetEntry(9, kLevel).has_value()) << "still asserted";
}

TEST_F(IoapicTest, SwitchingAnAssertedInputToEdgeDeliversNothing) {
  SetEntry(9, kLevel | kMasked);
  ioapic_.SetLine(9, true);
  EXPECT_FALSE(SetEntry(9, kEdge).has_value());
}

TEST_F(IoapicTest, RewritingAnEntryInServiceKeepsRemoteIrr) {
  SetEntry(9, kLevel);
  ioapic_.SetLine(9, true);
  EXPECT_FALSE(SetEntry(9, kLevel).has_value());
  EXPECT_TRUE(RemoteIrr(9));
}

TEST_F(IoapicTest, PolarityIsKeptAndDoesNotInvertALine) {
  SetEntry(9, kLevel | 1 << 13);
  EXPECT_EQ(Entry(9), kLevel | 1 << 13);
  EXPECT_TRUE(ioapic_.SetLine(9, true).has_value());
}

TEST_F(IoapicTest, AnNmiIsAnEdgeThoughProgrammedLevel) {
  SetEntry(9, kLevel | HV_DELIVERY_NMI << 8);
  const auto interrupt = ioapic_.SetLine(9, true);
  ASSERT_TRUE(interrupt.has_value());
  EXPECT_EQ(interrupt->delivery_mode, HV_DELIVERY_NMI);
  EXPECT_EQ(interrupt->level, 0);
  EXPECT_FALSE(RemoteIrr(9));
}

TEST_F(IoapicTest, TheEoiRegisterHandsItsVectorOn) {
  Write(0x40, 0x41);
  EXPECT_EQ(ended_, 0x41);
  Write(0x44, 0x41);
  EXPECT_FALSE(ended_.has_value());
}

}  // namespace
}  // namespace hv::ioapic
