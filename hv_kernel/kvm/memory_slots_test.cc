#include "hv_kernel/kvm/memory_slots.h"

#include "gtest/gtest.h"

namespace hv::kvm {
namespace {

constexpr uint64_t kMib = 1 << 20;
using Slots = std::vector<hv_memory_slot>;

class MemorySlotsTest : public testing::Test {
 protected:
  std::vector<MemorySlots::Change> Become(const Slots& slots) {
    MemorySlots next;
    auto changes = now_.Plan(slots, next);
    now_ = next;
    return changes;
  }
  MemorySlots now_;
};

hv_memory_slot Slot(uint64_t address, uint64_t bytes, uint32_t flags = 0) {
  return {.address = address, .bytes = bytes, .offset = address, .flags = flags, .reserved = 0};
}

TEST_F(MemorySlotsTest, TheSameMapAgainChangesNothing) {
  const Slots map = {Slot(0, kMib), Slot(2 * kMib, kMib, HV_MEMORY_READ_ONLY)};
  EXPECT_EQ(Become(map).size(), 2u);
  EXPECT_TRUE(Become(map).empty());
}

TEST_F(MemorySlotsTest, LoggingIsSwitchedWhereTheSlotIs) {
  Become({Slot(0, kMib), Slot(kMib, kMib)});
  const auto changes = Become({Slot(0, kMib), Slot(kMib, kMib, HV_MEMORY_LOG_DIRTY)});
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].id, 1u);
  EXPECT_EQ(changes[0].slot.bytes, kMib);
  EXPECT_TRUE(now_.logs_writes());
}

TEST_F(MemorySlotsTest, ASlotThatBecomesReadOnlyGoesBeforeItComesAgain) {
  Become({Slot(0, kMib)});
  const auto changes = Become({Slot(0, kMib, HV_MEMORY_READ_ONLY)});
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_EQ(changes[0].slot.bytes, 0u);
  EXPECT_EQ(changes[1].slot.flags, HV_MEMORY_READ_ONLY);
}

TEST_F(MemorySlotsTest, EverythingThatGoesDoesSoBeforeAnythingComes) {
  Become({Slot(0, 4 * kMib), Slot(8 * kMib, kMib)});
  const auto changes = Become({Slot(0, kMib), Slot(kMib, kMib, HV_MEMORY_READ_ONLY),
                               Slot(2 * kMib, 2 * kMib), Slot(8 * kMib, kMib)});
  ASSERT_EQ(changes.size(), 4u);
  EXPECT_EQ(changes[0].slot.bytes, 0u);
  for (size_t i = 1; i < changes.size(); ++i) {
    EXPECT_NE(changes[i].slot.bytes, 0u);
    EXPECT_NE(changes[i].id, 1u);  // the slot that stays
  }
}

TEST_F(MemorySlotsTest, AddressesAreFoundInTheSegment) {
  Become({{.address = 4 * kMib, .bytes = kMib, .offset = kMib, .flags = 0, .reserved = 0}});
  uint64_t offset = 0;
  EXPECT_TRUE(now_.Find(4 * kMib + 5, offset));
  EXPECT_EQ(offset, kMib + 5);
  EXPECT_FALSE(now_.Find(5 * kMib, offset));
  EXPECT_FALSE(now_.Find(0, offset));
}

}  // namespace
}  // namespace hv::kvm
