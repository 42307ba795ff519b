#include "mmu_svc/guest_ram.h"

#include <algorithm>
#include <string>
#include <vector>

#include "abi/route_table.h"
#include "gtest/gtest.h"

namespace hv::mmu {
namespace {

constexpr uint64_t kPages = 8;
constexpr uint64_t kLogged = 0x2000, kRom = 0x4000, kProtected = 0x5000, kWatched = 0x8000;

// Two slots one after the other whose memory is not, a ROM, a protected page, one that is watched,
// and a slot that reaches past the segment.
class GuestRamTest : public testing::Test {
 protected:
  GuestRamTest()
      : ram_(kPages * kPageBytes),
        dirty_words_(sizeof(hv_dirty_log) / 8 + 1),
        written_words_(dirty_words_) {
    const auto add = [this](uint64_t address, uint64_t bytes, uint64_t offset, uint32_t flags) {
      map_.slots[map_.slot_count++] = {
          .address = address, .bytes = bytes, .offset = offset, .flags = flags};
    };
    add(0, kLogged, 0x1000, 0);
    add(kLogged, 0x1000, 0x5000, HV_MEMORY_LOG_DIRTY);
    add(kRom, 0x1000, 0x4000, HV_MEMORY_READ_ONLY);
    add(kProtected, 0x1000, 0x6000, HV_MEMORY_READ_ONLY | HV_MEMORY_PROTECTED);
    add(kWatched, 0x1000, 0x3000, HV_MEMORY_WATCHED);
    add(0x10000, 0x2000, 0x7000, 0);
  }
  bool Store(uint64_t physical, const std::vector<uint8_t>& bytes) {
    return GuestRam(map_, ram_).Store(physical, bytes, logs_);
  }
  uint8_t At(uint64_t offset) const { return static_cast<uint8_t>(ram_[offset]); }
  bool Untouched() const {
    return std::count(ram_.begin(), ram_.end(), std::byte{0}) == static_cast<long>(ram_.size());
  }

  GuestMap map_{};
  std::vector<std::byte> ram_;
  static PageLog Open(std::vector<uint64_t>& words) {
    return PageLog::Open(std::as_writable_bytes(std::span(words)), kPages).value();
  }

  std::vector<uint64_t> dirty_words_;
  std::vector<uint64_t> written_words_;
  PageLogs logs_{.dirty = Open(dirty_words_), .written = Open(written_words_)};
};

TEST_F(GuestRamTest, StoresGoWhereTheSlotsSay) {
  EXPECT_TRUE(Store(kLogged - 2, {1, 2, 3, 4}));
  EXPECT_EQ(At(0x1000 + kLogged - 2), 1);
  EXPECT_EQ(At(0x1000 + kLogged - 1), 2);
  EXPECT_EQ(At(0x5000), 3);
  EXPECT_EQ(At(0x5001), 4);
}

TEST_F(GuestRamTest, PagesWhoseWritesAreLoggedAreMarked) {
  EXPECT_TRUE(Store(kLogged - 2, {1, 2, 3, 4}));
  EXPECT_EQ(logs_.dirty.Read(0, kPages), std::string(1, 1 << 5));
  EXPECT_EQ(logs_.written.Read(0, kPages), std::string(1, 0));
}

// No fault tells of what this process writes itself.
TEST_F(GuestRamTest, PagesThatAreWatchedAreNotedAsWritten) {
  EXPECT_TRUE(Store(kWatched + 0xfff, {1}));
  EXPECT_EQ(logs_.written.Read(0, kPages), std::string(1, 1 << 3));
  EXPECT_EQ(logs_.dirty.Read(0, kPages), std::string(1, 0));
}

TEST_F(GuestRamTest, WhatIsNotAllWritableRamIsRefusedWhole) {
  EXPECT_FALSE(Store(kLogged + 0xffe, {1, 2, 3, 4}));  // into a hole
  EXPECT_FALSE(Store(kRom, {1}));
  EXPECT_FALSE(Store(kProtected, {1}));
  EXPECT_FALSE(Store(0x10ffe, {1, 2, 3, 4}));  // past the segment
  EXPECT_FALSE(Store(UINT64_MAX, {1, 2}));
  EXPECT_TRUE(Untouched());
  EXPECT_EQ(logs_.dirty.Read(0, kPages), std::string(1, 0));
  EXPECT_EQ(logs_.written.Read(0, kPages), std::string(1, 0));
}

}  // namespace
}  // namespace hv::mmu
