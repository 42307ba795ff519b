#include "hv_kernel/kvm/dirty_ring.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <optional>
#include <random>
#include <set>
#include <vector>

#include "base/unique_fd.h"
#include "gtest/gtest.h"

namespace hv::kvm {
namespace {

constexpr uint64_t kPageBytes = 4096;
constexpr uint64_t kFileOffset = KVM_DIRTY_LOG_PAGE_OFFSET * kPageBytes;
constexpr uint32_t kCells = 256;
constexpr uint32_t kReserved = 64;  // that KVM keeps free when it says that a ring is full
constexpr uint64_t kPages = 4096;

// Linux's side (virt/kvm/dirty_ring.c), but for one that runs on when the ring is full.
class DirtyRingTest : public testing::Test {
 protected:
  DirtyRingTest() : file_(memfd_create("ring", MFD_CLOEXEC)) {
    EXPECT_EQ(ftruncate(file_.get(), kFileOffset + sizeof(kvm_dirty_gfn) * kCells), 0);
    void* at = mmap(nullptr, sizeof(kvm_dirty_gfn) * kCells, PROT_READ | PROT_WRITE, MAP_SHARED,
                    file_.get(), kFileOffset);
    cells_ = static_cast<kvm_dirty_gfn*>(at);
    const hv_memory_slot slot{
        .address = 0, .bytes = kPages * kPageBytes, .flags = HV_MEMORY_LOG_DIRTY};
    MemorySlots none;
    none.Plan({&slot, 1}, slots_);
    ring_.emplace(DirtyRing::Map(file_.get(), sizeof(kvm_dirty_gfn) * kCells).value());
  }
  ~DirtyRingTest() override { munmap(cells_, sizeof(kvm_dirty_gfn) * kCells); }

  bool IsFull() const { return dirty_index_ - reset_index_ >= kCells - kReserved; }
  void Write(uint64_t page) {
    kvm_dirty_gfn& cell = cells_[dirty_index_++ % kCells];
    cell.slot = 0;
    cell.offset = page;
    cell.flags = KVM_DIRTY_GFN_F_DIRTY;
  }
  bool MakeRoom() {
    return ring_->MakeRoom(slots_, log_.data(), [this] { Reset(); });
  }
  // KVM_RESET_DIRTY_RINGS.
  void Reset() {
    for (;; ++reset_index_) {
      kvm_dirty_gfn& cell = cells_[reset_index_ % kCells];
      if ((cell.flags & KVM_DIRTY_GFN_F_RESET) == 0) break;
      cell.flags = 0;
    }
    EXPECT_LE(dirty_index_ - reset_index_, uint32_t{1} << 31) << "more given back than there were";
  }
  bool IsMarked(uint64_t page) const { return (log_[page / 64] >> (page % 64) & 1) != 0; }

  UniqueFd file_;
  kvm_dirty_gfn* cells_ = nullptr;
  uint32_t dirty_index_ = 0, reset_index_ = 0;
  MemorySlots slots_;
  std::optional<DirtyRing> ring_;
  std::vector<std::atomic<uint64_t>> log_ = std::vector<std::atomic<uint64_t>>(kPages / 64);
};

TEST_F(DirtyRingTest, WhatIsNotedIsMarkedOnce) {
  Write(3);
  Write(70);
  EXPECT_TRUE(ring_->Collect(slots_, log_.data()));
  EXPECT_TRUE(IsMarked(3));
  EXPECT_TRUE(IsMarked(70));
  EXPECT_EQ(log_[0], 8u);
  log_[0] = 0;
  EXPECT_TRUE(ring_->Collect(slots_, log_.data()));
  EXPECT_EQ(log_[0], 0u);
  Reset();
  EXPECT_EQ(reset_index_, 2u);
}

TEST_F(DirtyRingTest, PagesOutsideTheSlotAreNotMarked) {
  Write(kPages);
  EXPECT_TRUE(ring_->Collect(slots_, log_.data()));
  for (const auto& word : log_) EXPECT_EQ(word, 0u);
}

TEST_F(DirtyRingTest, AFullRingLosesNothing) {
  while (!IsFull()) Write(dirty_index_);
  EXPECT_TRUE(MakeRoom());
  EXPECT_EQ(reset_index_, dirty_index_);
  for (uint64_t page = 0; page < dirty_index_; ++page) EXPECT_TRUE(IsMarked(page));
}

// A guest that writes for ever, in a KVM that overfills rings at times. Cells are given back at any
// exit, taken back only now and then.
TEST_F(DirtyRingTest, AnOverfilledRingIsToldOfAndDoesNotStayFull) {
  std::mt19937_64 random(1);
  uint64_t told = 0;
  int turns_full = 0;
  std::set<uint64_t> written;
  for (int entry = 0; entry < 100'000; ++entry) {
    // KVM lets nobody in while the ring is full.
    if (!IsFull()) {
      const auto write = [&] {
        const uint64_t page = random() % kPages;
        Write(page);
        written.insert(page);
      };
      for (uint64_t i = 0, count = random() % kCells; i < count && !IsFull(); ++i) write();
      const uint64_t most = random() % 8 == 0 && IsFull() ? 3 * kCells : 1;
      for (uint64_t i = 0, count = random() % most; i < count; ++i) write();
    }
    bool all = ring_->Collect(slots_, log_.data());  // as at every exit
    if (IsFull()) {
      all &= MakeRoom();
    } else if (random() % 16 == 0) {
      Reset();
    }
    turns_full = IsFull() ? turns_full + 1 : 0;
    ASSERT_LT(turns_full, 20) << "the ring stays full";
    told += all ? 0 : 1;
    if (told == 0) {
      for (const uint64_t page : written) ASSERT_TRUE(IsMarked(page));
    }
    written.clear();
    for (auto& word : log_) word = 0;
  }
  EXPECT_GT(told, 0u);
}

}  // namespace
}  // namespace hv::kvm
