#include "mmu_svc/pager/pager.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <vector>

#include "abi/route_table.h"
#include "mmu_svc/pager/fake_guest_memory.h"

namespace hv::mmu {
namespace {

constexpr uint64_t kPage = 4096;
constexpr Window kWindow{.address = 0x7f0000000000, .bytes = 1 << 20};

class PagerTest : public testing::Test {
 protected:
  PagerTest() { memory_.page = &page_; }
  bool Serve(std::vector<uffd_msg> events) {
    memory_.events.assign(events.begin(), events.end());
    return pager_.ServeOnce();
  }

  uffd_msg Fault(uint64_t offset) const { return memory_.Fault(offset); }
  std::string Written() const { return written_.Read(0x20, 16); }  // from 0x20000 on

  FakeGuestMemory memory_{kWindow};
  hv_pager_page page_{};
  std::vector<uint64_t> words_ =
      std::vector<uint64_t>((sizeof(hv_dirty_log) + kWindow.bytes / kPage / 8) / 8);
  PageLog written_ =
      PageLog::Open(std::as_writable_bytes(std::span(words_)), kWindow.bytes / kPage).value();
  WriteWatch watch_{memory_, kWindow, written_, {}};
  Pager pager_{memory_, kWindow, ReadAhead({{0, kWindow.bytes}}), watch_, page_};
};

TEST_F(PagerTest, AFaultIsAnsweredWithItsChunk) {
  EXPECT_TRUE(Serve({Fault(0x23000)}));
  EXPECT_EQ(memory_.present.size(), 16u);
  EXPECT_EQ(*memory_.present.begin(), 0x20000u);
  EXPECT_EQ(*memory_.present.rbegin(), 0x2f000u);
  EXPECT_TRUE(memory_.wakes.empty()) << "giving wakes";
  EXPECT_EQ(page_.faults, 1u);
  EXPECT_EQ(page_.pages, 16u);
  EXPECT_EQ(page_.read_ahead_pages, 15u);
}

TEST_F(PagerTest, ThePageThatIsWaitedForComesFirst) {
  memory_.present = {0x24000};
  EXPECT_TRUE(Serve({Fault(0x23000)}));
  EXPECT_TRUE(memory_.present.contains(0x23000));
  EXPECT_FALSE(memory_.present.contains(0x25000)) << "ends at what is there";
  EXPECT_TRUE(memory_.present.contains(0x20000));
}

TEST_F(PagerTest, ARequestCutShortGoesOnWhereItEnded) {
  memory_.most_at_once = 3 * kPage;
  EXPECT_TRUE(Serve({Fault(0x20000)}));
  EXPECT_EQ(memory_.present.size(), 16u);
  EXPECT_EQ(page_.pages, 16u);
}

TEST_F(PagerTest, WhoeverWaitsForAPageThatIsThereIsWoken) {
  memory_.present = {0x23000};
  EXPECT_TRUE(Serve({Fault(0x23000)}));
  EXPECT_EQ(memory_.wakes, (std::vector<Extent>{{0x23000, 0x24000}}));
  EXPECT_EQ(page_.failed, 0u);
  EXPECT_EQ(memory_.present.size(), 1u);
}

TEST_F(PagerTest, TwoVcpusThatWaitForOneChunkBothGoOn) {
  EXPECT_TRUE(Serve({Fault(0x20000), Fault(0x21000), Fault(0x20000)}));
  EXPECT_EQ(memory_.wakes, (std::vector<Extent>{{0x21000, 0x22000}, {0x20000, 0x21000}}));
  EXPECT_EQ(page_.faults, 3u);
  EXPECT_EQ(page_.pages, 16u);
}

TEST_F(PagerTest, WhatCannotBeHadNowIsTriedAgainByItsThread) {
  memory_.error = ENOMEM;
  EXPECT_TRUE(Serve({Fault(0x23000)}));
  EXPECT_EQ(memory_.wakes, (std::vector<Extent>{{0x23000, 0x24000}}));
  EXPECT_EQ(page_.failed, 1u);
  EXPECT_EQ(page_.pages, 0u);
  memory_.error = EAGAIN;
  EXPECT_TRUE(Serve({Fault(0x23000)}));
  EXPECT_EQ(page_.failed, 1u) << "no failure, only bad timing";
  EXPECT_EQ(memory_.wakes.size(), 2u);
}

TEST_F(PagerTest, MemoryThatIsNoLongerWatchedIsAFailure) {
  memory_.error = ENOENT;
  EXPECT_TRUE(Serve({Fault(0x23000), Fault(0x43000)}));
  EXPECT_EQ(page_.failed, 2u);
}

TEST_F(PagerTest, EventsOutsideOfGuestMemoryAreCountedAndNothingIsGiven) {
  uffd_msg other = Fault(0);
  other.event = UFFD_EVENT_REMOVE;
  EXPECT_TRUE(Serve({Fault(kWindow.bytes), Fault(0 - kPage), other, Fault(0)}));
  EXPECT_EQ(page_.refused, 3u);
  EXPECT_EQ(page_.faults, 1u);
  EXPECT_EQ(memory_.present.size(), 16u);
}

TEST_F(PagerTest, WhatIsGivenOfAWatchedRangeIsProtectedAndTheRestIsNot) {
  watch_.SetWatched({{0x22000, 0x24000}, {0x28000, 0x29000}});
  EXPECT_TRUE(Serve({Fault(0x23000)}));
  EXPECT_EQ(memory_.present.size(), 16u);
  EXPECT_EQ(memory_.is_protected, (std::set<uint64_t>{0x22000, 0x23000, 0x28000}));
  EXPECT_EQ(page_.faults, 1u);
  EXPECT_EQ(page_.writes, 0u);
}

TEST_F(PagerTest, AWriteToAWatchedPageIsNotedAndLetGo) {
  watch_.SetWatched({{0x20000, 0x30000}});
  memory_.Write(0x23000);  // missing, then protected
  EXPECT_TRUE(pager_.ServeOnce());
  EXPECT_EQ(Written(), std::string("\0\0", 2));
  EXPECT_TRUE(pager_.ServeOnce());
  EXPECT_EQ(Written(), std::string("\x08\0", 2));
  EXPECT_TRUE(memory_.waiting.empty());
  EXPECT_FALSE(memory_.is_protected.contains(0x23000));
  EXPECT_TRUE(memory_.is_protected.contains(0x24000));
  EXPECT_EQ(page_.writes, 1u);
  EXPECT_EQ(page_.refused, 0u);
}

TEST_F(PagerTest, ABitIsSetBeforeItsWriterGoesOn) {
  watch_.SetWatched({{0x20000, 0x30000}});
  memory_.present = memory_.is_protected = {0x23000};
  bool noted = false;
  memory_.on_written = [&](uint64_t) { noted = Written()[0] != 0; };
  memory_.Write(0x23000);
  EXPECT_TRUE(pager_.ServeOnce());
  EXPECT_TRUE(noted);
}

// Left over from a watch whose end was cut short, or made up by hv_kernel.
TEST_F(PagerTest, AWriteToAPageThatIsNotWatchedIsCountedAndLetGo) {
  memory_.present = memory_.is_protected = {0x23000};
  memory_.Write(0x23000);
  EXPECT_TRUE(pager_.ServeOnce());
  EXPECT_TRUE(memory_.waiting.empty());
  EXPECT_EQ(Written(), std::string("\0\0", 2));
  EXPECT_EQ(page_.stray_writes, 1u);
  EXPECT_TRUE(Serve({memory_.WriteFault(kWindow.bytes)}));
  EXPECT_EQ(page_.refused, 1u) << "no guest memory";
}

TEST_F(PagerTest, AWriteThatCannotBeLetGoIsTriedAgain) {
  memory_.error = ENOENT;
  EXPECT_TRUE(Serve({memory_.WriteFault(0x23000)}));
  EXPECT_EQ(memory_.wakes, (std::vector<Extent>{{0x23000, 0x24000}}));
  EXPECT_EQ(page_.failed, 1u);
  memory_.error = ESRCH;
  EXPECT_FALSE(Serve({memory_.WriteFault(0x23000)})) << "hv_kernel is gone";
}

TEST_F(PagerTest, ItEndsWithHvKernel) {
  memory_.error = ESRCH;
  EXPECT_FALSE(Serve({Fault(0), Fault(0x20000)}));
  EXPECT_EQ(page_.turn & 1, 0u) << "nothing is in hand";
  memory_.events.clear();
  EXPECT_FALSE(pager_.ServeOnce()) << "no events, ever";
}

TEST_F(PagerTest, ADescriptorThatCannotBeReadIsTheEnd) {
  memory_.read_error = EINVAL;
  EXPECT_FALSE(Serve({Fault(0)}));
  memory_.read_error = EAGAIN;  // whoever waited has been killed
  EXPECT_TRUE(Serve({Fault(0)}));
}

TEST_F(PagerTest, TheTurnIsOddWhileEventsAreInHand) {
  EXPECT_TRUE(Serve({Fault(0)}));
  EXPECT_EQ(memory_.turn_while_reading & 1, 1u);
  EXPECT_EQ(page_.turn & 1, 0u);
  EXPECT_GT(page_.turn, memory_.turn_while_reading);
}

TEST_F(PagerTest, WhoTakesOverWakesAllAndHasNothingInHand) {
  page_.turn = 7;  // died with events in hand
  page_.faults = 5;
  pager_.TakeOver();
  EXPECT_EQ(memory_.wakes, (std::vector<Extent>{{0, kWindow.bytes}}));
  EXPECT_EQ(page_.wakes, 1u);
  EXPECT_EQ(page_.turn, 8u);
  EXPECT_NE(page_.thread, 0u);
  EXPECT_EQ(page_.faults, 5u) << "counters go on";
}

}  // namespace
}  // namespace hv::mmu
