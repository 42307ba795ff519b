#include "mmu_svc/page_log.h"

#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "abi/route_table.h"
#include "gtest/gtest.h"

namespace hv::mmu {
namespace {

constexpr uint64_t kPages = 200;  // the last word is used in part

class PageLogTest : public testing::Test {
 protected:
  PageLogTest() : memory_(sizeof(hv_dirty_log) / 8 + (kPages + 63) / 64) {}

  std::span<std::byte> segment() {
    return {reinterpret_cast<std::byte*>(memory_.data()), memory_.size() * 8};
  }
  // As hv_kernel does it.
  void Mark(uint64_t page) {
    uint64_t* words = memory_.data() + sizeof(hv_dirty_log) / 8;
    __atomic_fetch_or(&words[page / 64], uint64_t{1} << (page % 64), __ATOMIC_RELAXED);
  }
  std::vector<uint64_t> Marked(uint64_t first, uint64_t count) const {
    std::vector<uint64_t> pages;
    const std::string bitmap = log_.Read(first, count);
    for (uint64_t i = 0; i < bitmap.size() * 8; ++i) {
      if ((bitmap[i / 8] >> (i % 8) & 1) != 0) pages.push_back(first + i);
    }
    return pages;
  }

  using Pages = std::vector<uint64_t>;
  std::vector<uint64_t> memory_;
  PageLog log_ = PageLog::Open(segment(), kPages).value();
};

TEST_F(PageLogTest, ASegmentThatIsTooSmallIsRefused) {
  EXPECT_TRUE(PageLog::Open(segment(), 256).ok());
  EXPECT_FALSE(PageLog::Open(segment(), 257).ok());
  EXPECT_FALSE(PageLog::Open({}, 0).ok());
}

TEST_F(PageLogTest, ReadingShowsTheRangeAloneAndClearsNothing) {
  for (uint64_t page : {0, 63, 64, 130, 199}) Mark(page);
  EXPECT_EQ(Marked(0, kPages), (Pages{0, 63, 64, 130, 199}));
  EXPECT_EQ(Marked(60, 70), (Pages{63, 64}));
  EXPECT_EQ(Marked(60, 71), (Pages{63, 64, 130}));
  EXPECT_EQ(Marked(199, 1), Pages{199});
  EXPECT_EQ(log_.Read(3, 9).size(), 2u);
}

TEST_F(PageLogTest, MarkingSetsOneBitAndNoneThatIsNotThere) {
  log_.Mark(3);
  log_.Mark(3);
  log_.Mark(kPages - 1);
  log_.Mark(kPages);
  log_.Mark(UINT64_MAX);
  EXPECT_EQ(Marked(0, kPages), (Pages{3, kPages - 1}));
}

TEST_F(PageLogTest, WhatWasReadIsClearedAndNothingElse) {
  for (uint64_t page : {5, 70, 71, 150}) Mark(page);
  const std::string read = log_.Read(3, 100);
  Mark(72);  // meanwhile
  log_.Clear(3, read);
  EXPECT_EQ(Marked(0, kPages), (Pages{72, 150}));
}

TEST_F(PageLogTest, ARangeIsClearedUpToItsEnds) {
  for (uint64_t page = 0; page < kPages; ++page) Mark(page);
  log_.ClearAll(10, 150);
  Pages expected;
  for (uint64_t page = 0; page < 10; ++page) expected.push_back(page);
  for (uint64_t page = 160; page < kPages; ++page) expected.push_back(page);
  EXPECT_EQ(Marked(0, kPages), expected);
}

TEST_F(PageLogTest, BitsPastTheLastPageTouchNothing) {
  Mark(199);
  log_.Clear(192, std::string(64, '\xff'));
  log_.Clear(UINT64_MAX / 4096, std::string(64, '\xff'));
  EXPECT_EQ(Marked(0, kPages), Pages{});
}

// Any range at any place agrees with a plain set of pages.
TEST_F(PageLogTest, RandomUseAgreesWithASetOfPages) {
  std::mt19937_64 random(5);
  std::vector<bool> model(kPages);
  for (int round = 0; round < 20000; ++round) {
    const uint64_t page = random() % kPages;
    Mark(page);
    model[page] = true;
    const uint64_t first = random() % kPages;
    const uint64_t count = random() % (kPages - first + 1);
    Pages expected;
    for (uint64_t i = first; i < first + count; ++i) {
      if (model[i]) expected.push_back(i);
    }
    ASSERT_EQ(Marked(first, count), expected);
    if (random() % 4 == 0) {
      log_.Clear(first, log_.Read(first, count));
      std::fill(model.begin() + first, model.begin() + first + count, false);
    }
  }
}

TEST_F(PageLogTest, MarksMadeWhileTheLogIsTakenAreNotLost) {
  constexpr int kMarks = 100000;
  // Bits that were clear when they were set: as many as are taken in the end.
  uint64_t marked = 0;
  std::atomic<bool> done{false};
  std::thread writer([&] {
    uint64_t* words = memory_.data() + sizeof(hv_dirty_log) / 8;
    for (int i = 0; i < kMarks; ++i) {
      const uint64_t page = static_cast<uint64_t>(i) % kPages;
      const uint64_t bit = uint64_t{1} << (page % 64);
      const uint64_t before = __atomic_fetch_or(&words[page / 64], bit, __ATOMIC_RELAXED);
      marked += (before & bit) == 0 ? 1 : 0;
    }
    done = true;
  });
  uint64_t taken = 0;
  const auto take = [&] {
    const std::string bitmap = log_.Read(0, kPages);
    log_.Clear(0, bitmap);
    for (const char byte : bitmap) taken += __builtin_popcount(static_cast<unsigned char>(byte));
  };
  while (!done) take();
  writer.join();
  take();
  EXPECT_EQ(taken, marked);
  EXPECT_EQ(Marked(0, kPages), Pages{});
}

}  // namespace
}  // namespace hv::mmu
