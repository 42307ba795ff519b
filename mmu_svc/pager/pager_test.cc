#include "mmu_svc/pager/pager.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <deque>
#include <set>
#include <string>
#include <vector>

namespace hv::mmu {
namespace {

constexpr uint64_t kPage = 4096;
constexpr Window kWindow{.address = 0x7f0000000000, .bytes = 1 << 20};

uffd_msg Fault(uint64_t offset) {
  uffd_msg message{};
  message.event = UFFD_EVENT_PAGEFAULT;
  message.arg.pagefault.address = kWindow.address + offset;
  return message;
}

// Guest RAM of hv_kernel as the host's kernel keeps it.
class FakeMemory final : public Userfault {
 public:
  bool Await() override { return !events.empty(); }
  int Read(std::span<uffd_msg> into) override {
    turn_while_reading = page->turn;
    size_t count = 0;
    for (; count < into.size() && !events.empty(); ++count) {
      into[count] = events.front();
      events.pop_front();
    }
    errno = read_error;
    return read_error == 0 ? static_cast<int>(count) : -1;
  }
  Done GiveZeroPages(uint64_t address, uint64_t bytes) override {
    EXPECT_EQ(page->turn & 1, 1u);
    Done done;
    const uint64_t begin = address - kWindow.address;
    EXPECT_LE(begin + bytes, kWindow.bytes);
    while (done.bytes < bytes) {
      const uint64_t offset = begin + done.bytes;
      if (error != 0) {
        done.error = error;
      } else if (present.contains(offset)) {
        done.error = EEXIST;
      } else if (done.bytes == most_at_once) {
        done.error = EAGAIN;
      } else {
        present.insert(offset);
        done.bytes += kPage;
        continue;
      }
      // As the kernel: what came of a request that did something is how far it came.
      if (done.bytes != 0) done.error = EAGAIN;
      break;
    }
    return done;
  }
  void Wake(uint64_t address, uint64_t bytes) override {
    wakes.push_back({address - kWindow.address, address - kWindow.address + bytes});
  }

  std::deque<uffd_msg> events;
  std::set<uint64_t> present;
  std::vector<Extent> wakes;
  uint64_t most_at_once = UINT64_MAX;
  int error = 0;
  int read_error = 0;
  const hv_pager_page* page = nullptr;
  uint64_t turn_while_reading = 0;
};

class PagerTest : public testing::Test {
 protected:
  PagerTest() { memory_.page = &page_; }
  bool Serve(std::vector<uffd_msg> events) {
    memory_.events.assign(events.begin(), events.end());
    return pager_.ServeOnce();
  }

  FakeMemory memory_;
  hv_pager_page page_{};
  Pager pager_{memory_, kWindow, ReadAhead({{0, kWindow.bytes}}), page_};
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
