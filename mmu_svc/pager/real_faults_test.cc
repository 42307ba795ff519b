// Missing pages of a real process.
#include "mmu_svc/pager/real_faults.h"

#include <sys/socket.h>

#include <array>

#include "service/descriptor_socket.h"

namespace hv::mmu {
namespace {

using RealFaultsTest = RealFaults;

TEST_F(RealFaultsTest, AnotherProcessGivesWhatIsTouched) {
  const pid_t pager = StartPager();
  Touch();
  kill(pager, SIGKILL);
  End(pager);
  EXPECT_GE(page_->faults, 33u);
  EXPECT_EQ(page_->refused, 0u);
  EXPECT_EQ(page_->failed, 0u);
  EXPECT_GT(page_->read_ahead_pages, 0u);
}

TEST_F(RealFaultsTest, PagesThatAreThereAlreadyKeepWhatTheyHold) {
  memory_->other_bytes()[0x3000] = 42;
  const pid_t pager = StartPager();
  EXPECT_EQ(memory_->watched_bytes()[0x3000], 42) << "no event";
  EXPECT_EQ(memory_->watched_bytes()[0x2000], 0) << "in whose chunk the other lies";
  EXPECT_EQ(memory_->watched_bytes()[0x3000], 42);
  kill(pager, SIGKILL);
  End(pager);
  EXPECT_EQ(page_->faults, 1u);
}

// A page stored by mmu_svc between the fault and its answer: the thread must go on, with that page.
TEST_F(RealFaultsTest, APageThatCameMeanwhileIsNotOverwritten) {
  uint8_t seen = 0;
  std::thread toucher([&] { seen = memory_->watched_bytes()[0x5000]; });
  UserfaultDescriptor first(memory_->CopyFd());
  ASSERT_TRUE(first.Await()) << "the fault is waiting";
  memory_->other_bytes()[0x5000] = 43;
  const pid_t pager = StartPager();
  toucher.join();
  EXPECT_EQ(seen, 43);
  kill(pager, SIGKILL);
  End(pager);
}

// Killed before and after each of its first calls, each time with a successor that lives.
TEST_F(RealFaultsTest, ASuccessorResolvesWhatItsPredecessorLeft) {
  for (const bool after : {false, true}) {
    for (int last = 1; last <= 12; ++last) {
      memory_.emplace();
      *page_ = {};
      done_ = false;
      const pid_t pager = StartPager(last, after);
      std::thread toucher([&] { Touch(); });
      EXPECT_EQ(End(pager), kDiedAsPlanned) << last << after;
      EXPECT_FALSE(done_) << "the test shows nothing";
      const pid_t successor = StartPager();
      toucher.join();
      EndIdle(successor);
      EXPECT_GE(page_->wakes, 1u);
    }
  }
}

TEST_F(RealFaultsTest, KilledAtRandomAgainAndAgainNoFaultIsLost) {
  std::thread toucher([&] { Touch(); });
  int deaths = 0;
  while (!done_) {
    const pid_t pager = StartPager(3 + deaths % 5, deaths % 2 == 0);
    while (!done_ && waitpid(pager, nullptr, WNOHANG) == 0) std::this_thread::yield();
    if (done_) {
      kill(pager, SIGKILL);
      waitpid(pager, nullptr, 0);
    }
    ++deaths;
  }
  toucher.join();
  EXPECT_GT(deaths, 5);
}

// What tells the pager that nobody is left to page for.
TEST_F(RealFaultsTest, MemoryOfAProcessThatIsGoneIsNoLongerThere) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
  const UniqueFd ours(ends[0]), theirs(ends[1]);
  const pid_t owner = fork();
  if (owner == 0) {
    const WatchedMemory own;
    const UniqueFd fd = own.CopyFd();
    const uint64_t address = own.window().address;
    const std::string bytes(reinterpret_cast<const char*>(&address), sizeof(address));
    if (!service::SendWithDescriptors(theirs.get(), bytes, std::array{fd.get()}).ok()) _exit(1);
    own.watched_bytes()[0] = 1;
    _exit(2);
  }
  auto sent = service::ReceiveWithDescriptors(ours.get()).value();
  uint64_t address = 0;
  std::memcpy(&address, sent.bytes.data(), sizeof(address));
  UserfaultDescriptor userfault(std::move(sent.fds[0]));
  ASSERT_TRUE(userfault.Await());
  kill(owner, SIGKILL);
  EXPECT_EQ(End(owner), -SIGKILL) << "a thread that waits for a page can be killed";
  const Done done = userfault.GiveZeroPages(address, kPage, Writes::kFree);
  EXPECT_EQ(done.bytes, 0u);
  EXPECT_EQ(done.error, ESRCH);
}

}  // namespace
}  // namespace hv::mmu
