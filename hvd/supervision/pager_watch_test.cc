#include "hvd/supervision/pager_watch.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <thread>

#include "hvd/testing/watched_ram.h"
#include "ring/segment.h"

namespace hv::hvd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kTimeout{50};

class FakeProcess final : public Process {
 public:
  pid_t pid() const override { return 1; }
  int death_fd() const override { return -1; }
  ProcessActivity activity() const override { return main; }
  ProcessActivity thread_activity(pid_t thread) const override {
    return thread == 42 ? pager : ProcessActivity{.state = 'Z'};
  }
  void Signal(int) override {}
  ProcessEnd Reap() override { return {}; }

  ProcessActivity main{.state = 'S'};
  ProcessActivity pager{.state = 'S'};
};

// An eventfd says, as a userfaultfd does, whether there is something to read.
class PagerWatchTest : public testing::Test {
 protected:
  PagerWatchTest() {
    page_.thread = 42;
    paging_.userfault.Reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    watch_.OnAttached(At(0));
    page_.turn = 2;  // it has taken over
  }
  static HangDetector::TimePoint At(int ms) { return HangDetector::TimePoint(milliseconds(ms)); }
  // After looks every 10 ms from the last one on.
  bool HangsAt(int ms) {
    bool hangs = false;
    for (; last_ms_ <= ms; last_ms_ += 10) hangs = watch_.Hangs(process_, At(last_ms_));
    return hangs;
  }
  void SetUnread(bool unread) {
    uint64_t count = 1;
    if (unread) {
      EXPECT_EQ(write(paging_.userfault.get(), &count, sizeof(count)), 8);
    } else {
      EXPECT_EQ(read(paging_.userfault.get(), &count, sizeof(count)), 8);
    }
  }

  GuestPaging paging_;
  hv_pager_page page_{};
  PagerWatch watch_{paging_, page_, kTimeout};
  FakeProcess process_;
  int last_ms_ = 0;
};

TEST_F(PagerWatchTest, OneWithoutFaultsIsIdleForEver) { EXPECT_FALSE(HangsAt(100'000)); }

TEST_F(PagerWatchTest, FaultsThatAreNotReadAreAHang) {
  EXPECT_FALSE(HangsAt(1000));
  SetUnread(true);
  EXPECT_FALSE(HangsAt(1040));
  EXPECT_TRUE(HangsAt(1070));
}

TEST_F(PagerWatchTest, FaultsThatWereReadAndAreNotResolvedAreAHang) {
  EXPECT_FALSE(HangsAt(1000));
  page_.turn = 3;
  EXPECT_FALSE(HangsAt(1040));
  EXPECT_TRUE(HangsAt(1070));
}

TEST_F(PagerWatchTest, OneThatIsBusyButTurnsIsFine) {
  SetUnread(true);
  for (int ms = 0; ms < 10'000; ms += 10) {
    page_.turn += 1;
    EXPECT_FALSE(HangsAt(ms)) << ms;
  }
}

TEST_F(PagerWatchTest, WhatWasServedBeforeDoesNotCount) {
  SetUnread(true);
  EXPECT_FALSE(HangsAt(40));
  SetUnread(false);
  EXPECT_FALSE(HangsAt(60));
  SetUnread(true);
  EXPECT_FALSE(HangsAt(100));
  EXPECT_TRUE(HangsAt(120));
}

TEST_F(PagerWatchTest, OneThatGetsNoProcessorIsSlow) {
  process_.pager.state = 'R';
  page_.turn = 3;
  EXPECT_FALSE(HangsAt(10'000));
  process_.pager.cpu = kTimeout;
  EXPECT_TRUE(HangsAt(10'010));
}

TEST_F(PagerWatchTest, ASuccessorHasTimeToBegin) {
  page_.turn = 3;
  watch_.OnAttached(At(0));
  EXPECT_FALSE(HangsAt(4'000));
  process_.pager.state = 'T';
  EXPECT_TRUE(HangsAt(4'010)) << "one that was stopped will not begin";
  process_.pager.state = 'S';
  EXPECT_TRUE(HangsAt(6'000));
}

TEST_F(PagerWatchTest, AThreadThatIsGoneServesNobody) {
  page_.thread = 43;
  SetUnread(true);
  EXPECT_FALSE(HangsAt(40));
  EXPECT_TRUE(HangsAt(70));
  process_.main.state = 'Z';
  EXPECT_FALSE(HangsAt(200)) << "dead, which its supervisor hears by itself";
}

TEST_F(PagerWatchTest, ReleasedMemoryIsTheHosts) {
  EXPECT_FALSE(watch_.Release().ok()) << "no userfaultfd";
  EXPECT_EQ(page_.released, 0u);
  constexpr uint64_t kBytes = 1 << 20;
  const auto ram =
      ring::Mapping::Map(ring::CreateSegment("ram", kBytes)->get(), kBytes, true).value();
  auto userfault = WatchRam(ram.bytes());
  if (!userfault.ok()) GTEST_SKIP() << "SKIPPED: " << userfault.status();
  paging_ = {.userfault = *std::move(userfault),
             .address = reinterpret_cast<uint64_t>(ram.bytes().data()),
             .bytes = kBytes,
             .notice = ""};
  std::thread waits([&] { ram.bytes()[0x5000] = std::byte{1}; });
  EXPECT_TRUE(watch_.Release().ok());
  waits.join();
  ram.bytes()[0x7000] = std::byte{1};
  EXPECT_EQ(page_.released, 1u);
}

}  // namespace
}  // namespace hv::hvd
