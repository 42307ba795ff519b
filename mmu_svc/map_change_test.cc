#include "mmu_svc/map_change.h"

#include <cstring>
#include <random>
#include <tuple>

#include "gtest/gtest.h"

namespace hv::mmu {
namespace {

constexpr uint64_t kHigh = 0x100000000;
constexpr uint32_t kProtected = HV_MEMORY_READ_ONLY | HV_MEMORY_PROTECTED;

// 16 pages of RAM at 0, 4 pages of ROM after them, a hole, 16 pages of RAM at 4 GiB.
class MapChangeTest : public testing::Test {
 protected:
  MapChangeTest() {
    map_.slot_count = 3;
    map_.slots[0] = {.address = 0, .bytes = 0x10000, .offset = 0};
    map_.slots[1] = {
        .address = 0x10000, .bytes = 0x4000, .offset = 0x10000, .flags = HV_MEMORY_READ_ONLY};
    map_.slots[2] = {.address = kHigh, .bytes = 0x10000, .offset = 0x14000};
  }
  using Slot = std::tuple<uint64_t, uint64_t, uint64_t, uint32_t>;  // address, bytes, offset, flags
  std::vector<Slot> Slots() const {
    std::vector<Slot> slots;
    for (uint32_t i = 0; i < map_.slot_count; ++i) {
      const hv_memory_slot& slot = map_.slots[i];
      slots.emplace_back(slot.address, slot.bytes, slot.offset, slot.flags);
    }
    return slots;
  }
  uint32_t FlagsAt(uint64_t address) const { return FindSlot(map_, address)->flags; }

  GuestMap map_{};
};

TEST_F(MapChangeTest, LoggingOfEverythingSkipsHoles) {
  const auto pages = SetNoting(map_, {}, HV_MEMORY_LOG_DIRTY, true);
  ASSERT_TRUE(pages.ok()) << pages.status();
  EXPECT_EQ(FlagsAt(0), uint32_t{HV_MEMORY_LOG_DIRTY});
  EXPECT_EQ(FlagsAt(0x10000), HV_MEMORY_READ_ONLY | HV_MEMORY_LOG_DIRTY);
  EXPECT_EQ(FlagsAt(kHigh), uint32_t{HV_MEMORY_LOG_DIRTY});
  ASSERT_EQ(pages->size(), 3u);
  EXPECT_EQ((*pages)[2].first, 0x14u);
  EXPECT_EQ((*pages)[2].count, 16u);
}

TEST_F(MapChangeTest, EachPieceSaysWhetherItWasOnAlready) {
  ASSERT_TRUE(SetNoting(map_, {0x1000, 0x2000}, HV_MEMORY_WATCHED, true).ok());
  const auto pages = SetNoting(map_, {0, 0x4000}, HV_MEMORY_WATCHED, true);
  ASSERT_TRUE(pages.ok()) << pages.status();
  ASSERT_EQ(pages->size(), 3u);
  EXPECT_EQ((*pages)[0].count, 1u);
  EXPECT_FALSE((*pages)[0].was_on);
  EXPECT_EQ((*pages)[1].first, 1u);
  EXPECT_EQ((*pages)[1].count, 2u);
  EXPECT_TRUE((*pages)[1].was_on);
  EXPECT_EQ((*pages)[2].first, 3u);
  EXPECT_FALSE((*pages)[2].was_on);
  EXPECT_TRUE(SetNoting(map_, {0, 0x4000}, HV_MEMORY_WATCHED, false)->front().was_on);
}

TEST_F(MapChangeTest, ARangeInsideASlotCutsItInThree) {
  ASSERT_TRUE(SetWriteProtection(map_, {0x4000, 0x1000}, true).ok());
  EXPECT_EQ(Slots(), (std::vector<Slot>{{0, 0x4000, 0, 0},
                                        {0x4000, 0x1000, 0x4000, kProtected},
                                        {0x5000, 0xb000, 0x5000, 0},
                                        {0x10000, 0x4000, 0x10000, HV_MEMORY_READ_ONLY},
                                        {kHigh, 0x10000, 0x14000, 0}}));
}

TEST_F(MapChangeTest, TakingAChangeBackJoinsThePieces) {
  const auto before = Slots();
  ASSERT_TRUE(SetWriteProtection(map_, {0x4000, 0x1000}, true).ok());
  ASSERT_TRUE(SetNoting(map_, {0x3000, 0x8000}, HV_MEMORY_LOG_DIRTY, true).ok());
  ASSERT_TRUE(SetNoting(map_, {0, 0}, HV_MEMORY_LOG_DIRTY, false).ok());
  ASSERT_TRUE(SetWriteProtection(map_, {0, 0x10000}, false).ok());
  EXPECT_EQ(Slots(), before);
}

TEST_F(MapChangeTest, RomIsNeitherProtectedNorFreed) {
  const auto before = Slots();
  for (const bool on : {true, false}) {
    const auto status = SetWriteProtection(map_, {0xf000, 0x2000}, on);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_NE(status.message().find("ROM at 0x10000"), std::string::npos) << status;
  }
  EXPECT_EQ(Slots(), before);
}

TEST_F(MapChangeTest, RangesThatAreNoPagesOfMemoryAreRefused) {
  const auto before = Slots();
  for (const Range range : {Range{0x800, 0x1000}, Range{0, 0x800}, Range{0x14000, 0x1000},
                            Range{0, 0x15000}, Range{0 - uint64_t{0x1000}, 0x2000}}) {
    EXPECT_TRUE(absl::IsInvalidArgument(SetWriteProtection(map_, range, true))) << range.address;
    EXPECT_TRUE(absl::IsInvalidArgument(SetNoting(map_, range, HV_MEMORY_LOG_DIRTY, true).status()))
        << range.address;
  }
  EXPECT_TRUE(absl::IsInvalidArgument(SetWriteProtection(map_, {0, 0}, true)));
  EXPECT_TRUE(absl::IsInvalidArgument(
      SetNoting(map_, {kHigh + 0x10000, 0}, HV_MEMORY_LOG_DIRTY, true).status()));
  EXPECT_EQ(Slots(), before);
}

TEST_F(MapChangeTest, MorePiecesThanSlotsAreRefusedAndNothingHasChanged) {
  GuestMap map{};
  map.slot_count = 1;
  map.slots[0] = {.address = 0, .bytes = 256 * kPageBytes};
  uint64_t page = 1;
  absl::Status status;
  for (; page < 256; page += 2) {
    const GuestMap before = map;
    status = SetWriteProtection(map, {page * kPageBytes, kPageBytes}, true);
    if (status.ok()) continue;
    EXPECT_EQ(std::memcmp(&map, &before, sizeof(map)), 0);
    break;
  }
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_EQ(map.slot_count, HV_MAX_MEMORY_SLOTS - 1);  // a piece and its neighbour more each time
}

// Against a plain model, a set of flags a page: whatever is asked for, each page has the flags of
// the model and lies where it lay, and the map keeps its rules.
TEST_F(MapChangeTest, RandomChangesAgreeWithAModelPageByPage) {
  std::mt19937_64 random(1);
  constexpr uint64_t kPages = 64;
  GuestMap map{};
  map.slot_count = 2;
  map.slots[0] = {.address = 0, .bytes = 20 * kPageBytes, .offset = 44 * kPageBytes};
  map.slots[1] = {.address = 24 * kPageBytes, .bytes = 40 * kPageBytes, .offset = 4 * kPageBytes};
  const GuestMap original = map;
  uint32_t model[kPages] = {};
  for (int round = 0; round < 20000; ++round) {
    const uint64_t first = random() % kPages;
    const uint64_t count = 1 + random() % 8;
    const bool on = random() % 2 != 0;
    constexpr uint32_t kFlags[] = {HV_MEMORY_LOG_DIRTY, HV_MEMORY_WATCHED, kProtected};
    const uint32_t flags = kFlags[random() % 3];
    const Range range{first * kPageBytes, count * kPageBytes};
    const absl::Status status = flags == kProtected ? SetWriteProtection(map, range, on)
                                                    : SetNoting(map, range, flags, on).status();
    const bool in_memory = first + count <= kPages && (first + count <= 20 || first >= 24);
    if (status.ok()) {
      ASSERT_TRUE(in_memory);
      for (uint64_t page = first; page < first + count; ++page) {
        model[page] = on ? model[page] | flags : model[page] & ~flags;
      }
    } else {
      ASSERT_TRUE(!in_memory || absl::IsResourceExhausted(status)) << status;
    }
    for (uint64_t page = 0; page < kPages; ++page) {
      const hv_memory_slot* now = FindSlot(map, page * kPageBytes);
      const hv_memory_slot* then = FindSlot(original, page * kPageBytes);
      ASSERT_EQ(now == nullptr, then == nullptr) << page;
      if (now == nullptr) continue;
      ASSERT_EQ(now->flags, model[page]) << page;
      ASSERT_EQ(now->offset - now->address, then->offset - then->address) << page;
    }
    GuestMap checked = map;
    ASSERT_TRUE(CheckMap(checked).ok());
  }
}

}  // namespace
}  // namespace hv::mmu
