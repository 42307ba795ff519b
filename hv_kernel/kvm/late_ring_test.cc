#include "hv_kernel/kvm/late_ring.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <vector>

namespace hv {

inline bool operator==(const Exit& a, const Exit& b) {
  return a.reason == b.reason && a.width == b.width && a.address == b.address && a.data == b.data;
}

namespace kvm {
namespace {

constexpr uint32_t kCells = LateRingPage::kCells;

class LateRingTest : public testing::Test {
 protected:
  LateRingTest() { ring_.Attach(&page_); }
  // As KVM writes it.
  void Put(uint64_t address, uint32_t bytes, uint64_t data, uint32_t pio) {
    kvm_coalesced_mmio& cell = page_.cells[page_.last];
    cell.phys_addr = address;
    cell.len = bytes;
    cell.pio = pio;
    std::memcpy(cell.data, &data, sizeof(cell.data));
    page_.last = (page_.last + 1) % kCells;
  }
  void PutPort(uint64_t data) { Put(0x3f8, 1, data, 1); }
  std::vector<Exit> TakeAll() {
    std::vector<Exit> all;
    const uint32_t end = ring_.End();
    while (ring_.next() != end) {
      std::array<Exit, LateRing::kMostAccesses> some;
      const size_t count = ring_.Take(end, some);
      all.insert(all.end(), some.begin(), some.begin() + static_cast<ptrdiff_t>(count));
    }
    ring_.GiveBack();
    return all;
  }

  LateRingPage page_{};
  LateRing ring_;
};

using Exits = std::vector<Exit>;

TEST_F(LateRingTest, WithoutAPageItIsEmpty) {
  const LateRing ring;
  EXPECT_TRUE(ring.Empty());
}

TEST_F(LateRingTest, WritesComeOutInOrderAsTheContractHasThem) {
  EXPECT_TRUE(ring_.Empty());
  Put(0x3f8, 1, 0xff41, 1);
  Put(0x3f8, 4, 0x44332211, 1);
  Put(0xfed00000, 8, 0x8877665544332211, 0);
  EXPECT_FALSE(ring_.Empty());
  EXPECT_EQ(TakeAll(), (Exits{{ExitReason::kPortWrite, 1, 0x3f8, 0x41},
                              {ExitReason::kPortWrite, 4, 0x3f8, 0x44332211},
                              {ExitReason::kMmioWrite, 8, 0xfed00000, 0x8877665544332211}}));
  EXPECT_TRUE(ring_.Empty());
  EXPECT_EQ(page_.first, 3u);
}

TEST_F(LateRingTest, WhatIsTakenStaysInTheRingUntilItIsGivenBack) {
  PutPort(1);
  std::array<Exit, LateRing::kMostAccesses> to;
  EXPECT_EQ(ring_.Take(ring_.End(), to), 1u);
  EXPECT_FALSE(ring_.Empty());
  EXPECT_EQ(page_.first, 0u);
  ring_.GiveBack();
  EXPECT_TRUE(ring_.Empty());
}

TEST_F(LateRingTest, TheRingGoesRoundFullEachTime) {
  for (uint64_t lap = 0; lap < 5; ++lap) {
    for (uint64_t i = 0; i + 1 < kCells; ++i) PutPort(i);
    const Exits all = TakeAll();
    ASSERT_EQ(all.size(), kCells - 1);
    for (uint64_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].data, i & 0xff);
    EXPECT_EQ(page_.first, (lap + 1) * (kCells - 1) % kCells);
  }
}

TEST_F(LateRingTest, MemoryThatIsNotAlignedIsTakenApart) {
  Put(0xfed00001, 8, 0x8877665544332211, 0);
  EXPECT_EQ(TakeAll(), (Exits{{ExitReason::kMmioWrite, 1, 0xfed00001, 0x11},
                              {ExitReason::kMmioWrite, 2, 0xfed00002, 0x3322},
                              {ExitReason::kMmioWrite, 4, 0xfed00004, 0x77665544},
                              {ExitReason::kMmioWrite, 1, 0xfed00008, 0x88}}));
}

TEST_F(LateRingTest, NoMoreIsTakenThanThereIsRoomFor) {
  for (int i = 0; i < 3; ++i) Put(0xfed00001, 8, 0, 0);
  std::array<Exit, 2 * LateRing::kMostAccesses + 1> to;
  EXPECT_EQ(ring_.Take(ring_.End(), to), 2 * LateRing::kMostAccesses);
  EXPECT_EQ(ring_.next(), 2u);
}

TEST_F(LateRingTest, WhatIsWrittenAfterTheEndWasReadIsLeftForTheNext) {
  PutPort(1);
  const uint32_t end = ring_.End();
  PutPort(2);
  std::array<Exit, 8> to;
  EXPECT_EQ(ring_.Take(end, to), 1u);
  ring_.GiveBack();
  EXPECT_FALSE(ring_.Empty());
}

TEST_F(LateRingTest, AnIndexThatIsNoneEndsTheRingWhereItBegins) {
  PutPort(1);
  TakeAll();
  for (const uint32_t last : {kCells, kCells + 1, 0x80000000u, UINT32_MAX}) {
    page_.last = last;
    EXPECT_TRUE(ring_.Empty()) << last;
    EXPECT_TRUE(TakeAll().empty()) << last;
    EXPECT_EQ(page_.first, 1u);
  }
}

TEST_F(LateRingTest, WhereItBeginsIsNotReadFromThePage) {
  PutPort(1);
  TakeAll();
  PutPort(2);
  page_.first = 77;
  EXPECT_EQ(TakeAll(), (Exits{{ExitReason::kPortWrite, 1, 0x3f8, 2}}));
  EXPECT_EQ(page_.first, 2u);
}

TEST_F(LateRingTest, CellsThatMakeNoSenseArePassedOverAndCounted) {
  Put(0x3f8, 0, 1, 1);
  Put(0x3f8, 3, 1, 1);
  Put(0x3f8, 8, 1, 1);
  Put(0x10000, 1, 1, 1);
  Put(0x3f8, 1, 1, 2);
  Put(0xfed00000, 0, 1, 0);
  Put(0xfed00000, 9, 1, 0);
  Put(0xfed00000, UINT32_MAX, 1, 0);
  Put(UINT64_MAX - 3, 8, 1, 0);
  PutPort(0x41);
  EXPECT_EQ(TakeAll(), (Exits{{ExitReason::kPortWrite, 1, 0x3f8, 0x41}}));
  EXPECT_EQ(ring_.malformed(), 9u);
}

}  // namespace
}  // namespace kvm
}  // namespace hv
