#include "mmu_svc/pager/write_watch.h"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "abi/route_table.h"
#include "mmu_svc/pager/fake_guest_memory.h"

namespace hv::mmu {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kPages = 2048;  // 8 MiB, four steps of Rearm
constexpr Window kWindow{.address = 0x7f0000000000, .bytes = kPages * kPage};

class WriteWatchTest : public testing::Test {
 protected:
  void Mark(std::initializer_list<uint64_t> pages) {
    for (const uint64_t page : pages) written_.Mark(page);
  }
  bool IsSet(uint64_t page) const { return written_.Read(page, 1)[0] != 0; }
  bool IsProtected(uint64_t page) const { return memory_.is_protected.contains(page * kPage); }

  FakeGuestMemory memory_{kWindow};
  std::vector<uint64_t> words_ = std::vector<uint64_t>(sizeof(hv_dirty_log) / 8 + kPages / 64);
  PageLog written_ = PageLog::Open(std::as_writable_bytes(std::span(words_)), kPages).value();
  WriteWatch watch_{memory_, kWindow, written_, {{0, kWindow.bytes}}};
};

TEST_F(WriteWatchTest, WhatIsArmedIsProtectedUntilItIsDisarmed) {
  EXPECT_TRUE(watch_.Arm({0x3000, 0x5000}).ok());
  EXPECT_EQ(memory_.is_protected, (std::set<uint64_t>{0x3000, 0x4000}));
  watch_.Disarm({0x4000, 0x6000});
  EXPECT_EQ(memory_.is_protected, (std::set<uint64_t>{0x3000}));
}

TEST_F(WriteWatchTest, WhoeverWaitsGoesOnWhenTheWatchEnds) {
  memory_.present = memory_.is_protected = {0x3000};
  memory_.Write(0x3000);
  watch_.SetWatched({});
  watch_.Disarm({0, kWindow.bytes});
  EXPECT_TRUE(memory_.waiting.empty());
}

TEST_F(WriteWatchTest, ErrorsSayWhatIsNotThere) {
  memory_.error = ENOENT;
  EXPECT_TRUE(absl::IsFailedPrecondition(watch_.Arm({0, kPage})));
  memory_.error = ESRCH;
  EXPECT_TRUE(absl::IsUnavailable(watch_.Arm({0, kPage})));
  memory_.error = ENOMEM;
  EXPECT_TRUE(absl::IsInternal(watch_.Arm({0, kPage})));
}

TEST_F(WriteWatchTest, WhatWasReadIsArmedAnewAndForgotten) {
  Mark({64, 70, 500, 1500});
  const std::string bitmap = written_.Read(64, 1600);
  Mark({71});  // written since it was read
  EXPECT_TRUE(watch_.Rearm(64, bitmap).ok());
  for (const uint64_t page : {64, 70, 500, 1500}) {
    EXPECT_FALSE(IsSet(page)) << page;
    EXPECT_TRUE(IsProtected(page)) << page;
  }
  EXPECT_TRUE(IsSet(71));
  EXPECT_FALSE(IsProtected(63));
  EXPECT_FALSE(IsProtected(1501));
  EXPECT_FALSE(IsProtected(1000)) << "nothing was read there";
}

// A write that comes in between is in the log that was read; one bit later it would be in none.
TEST_F(WriteWatchTest, APageIsProtectedBeforeItsBitIsCleared) {
  Mark({70});
  int calls = 0;
  memory_.around_call = [&] {
    ++calls;
    EXPECT_TRUE(IsSet(70));
  };
  EXPECT_TRUE(watch_.Rearm(0, written_.Read(0, 128)).ok());
  EXPECT_EQ(calls, 2);
}

TEST_F(WriteWatchTest, WhatCannotBeArmedIsNotForgotten) {
  Mark({70});
  memory_.error = ENOENT;
  EXPECT_TRUE(absl::IsFailedPrecondition(watch_.Rearm(0, written_.Read(0, 128))));
  EXPECT_TRUE(IsSet(70));
}

// The fake has no lock of its own.
TEST_F(WriteWatchTest, WhileWritesAreNotedAndTakenAPageIsOpenOnlyWithItsBitSet) {
  ASSERT_TRUE(watch_.Arm({0, kWindow.bytes}).ok());
  std::atomic<bool> is_over = false;
  std::thread pager([&] {
    std::mt19937_64 random(5);
    while (!is_over) watch_.NoteWrite(random() % kPages * kPage);
  });
  for (int round = 0; round < 200; ++round) {
    watch_.SetWatched({{0, kWindow.bytes}});
    EXPECT_TRUE(watch_.Rearm(0, written_.Read(0, kPages)).ok());
  }
  is_over = true;
  pager.join();
  for (uint64_t page = 0; page < kPages; ++page) EXPECT_TRUE(IsSet(page) || IsProtected(page));
}

TEST_F(WriteWatchTest, AnyBitmapIsArmedFromItsFirstToItsLastPageOfAStep) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 2000; ++round) {
    memory_.is_protected.clear();
    const uint64_t first = random() % 1000;
    std::string bitmap(1 + random() % 100, '\0');
    std::set<uint64_t> pages;
    for (uint64_t count = random() % 5; count > 0; --count) {
      const uint64_t bit = random() % (bitmap.size() * 8);
      bitmap[bit / 8] |= static_cast<char>(1 << bit % 8);
      pages.insert(first + bit);
      written_.Mark(first + bit);
    }
    ASSERT_TRUE(watch_.Rearm(first, bitmap).ok());
    for (const uint64_t page : pages) {
      ASSERT_TRUE(IsProtected(page)) << page;
      ASSERT_FALSE(IsSet(page)) << page;
    }
    if (pages.empty()) {
      ASSERT_TRUE(memory_.is_protected.empty());
      continue;
    }
    ASSERT_EQ(*memory_.is_protected.begin(), *pages.begin() * kPage);
    ASSERT_EQ(*memory_.is_protected.rbegin(), *pages.rbegin() * kPage);
  }
}

}  // namespace
}  // namespace hv::mmu
