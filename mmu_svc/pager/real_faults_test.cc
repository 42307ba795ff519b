// Faults of a real process resolved by another one over its userfaultfd, which is killed wherever
// it makes a call. What guards the test is that the touching threads come to an end.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "mmu_svc/pager/pager.h"
#include "service/descriptor_socket.h"

namespace hv::mmu {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kBytes = 8 << 20;
constexpr int kServedToTheEnd = 0, kDiedAsPlanned = 7;

// Shared memory without a page, of which a userfaultfd watches one of two mappings.
class WatchedMemory {
 public:
  WatchedMemory()
      : file_(memfd_create("ram", MFD_CLOEXEC)),
        fd_(static_cast<int>(
            syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY))) {
    if (!fd_.valid()) {
      refusal = std::string("userfaultfd: ") + std::strerror(errno);
      return;
    }
    EXPECT_EQ(ftruncate(file_.get(), kBytes), 0);
    watched_ = Map();
    other_ = Map();
    if (Enable(kMissing | kWrites)) {
      has_writes = Register(UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP);
    } else if (!Enable(kMissing) || !Register(UFFDIO_REGISTER_MODE_MISSING)) {
      refusal = std::string("userfaultfd of shared memory: ") + std::strerror(errno);
    }
  }
  ~WatchedMemory() {
    munmap(watched_, kBytes);
    munmap(other_, kBytes);
  }
  Window window() const { return {reinterpret_cast<uint64_t>(watched_), kBytes}; }
  UniqueFd CopyFd() const { return UniqueFd(dup(fd_.get())); }

  std::string refusal;
  bool has_writes = false;
  volatile uint8_t* watched_bytes() const { return static_cast<volatile uint8_t*>(watched_); }
  volatile uint8_t* other_bytes() const { return static_cast<volatile uint8_t*>(other_); }

 private:
  static constexpr uint64_t kMissing = UFFD_FEATURE_MISSING_SHMEM;
  static constexpr uint64_t kWrites =
      UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM;
  bool Enable(uint64_t features) const {
    uffdio_api api{.api = UFFD_API, .features = features, .ioctls = 0};
    return ioctl(fd_.get(), UFFDIO_API, &api) == 0;
  }
  bool Register(uint64_t mode) const {
    uffdio_register range{};
    range.range = {.start = window().address, .len = kBytes};
    range.mode = mode;
    return ioctl(fd_.get(), UFFDIO_REGISTER, &range) == 0;
  }
  void* Map() const {
    return mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
  }
  UniqueFd file_;
  UniqueFd fd_;
  void* watched_ = MAP_FAILED;
  void* other_ = MAP_FAILED;
};

// Dies before the call numbered `last`, or instead of returning from it.
class MortalUserfault final : public Userfault {
 public:
  MortalUserfault(UniqueFd fd, int last, bool after)
      : real_(std::move(fd)), last_(last), after_(after) {}
  bool Await() override {
    return Do([&] { return real_.Await(); });
  }
  int Read(std::span<uffd_msg> events) override {
    return Do([&] { return real_.Read(events); });
  }
  Done GiveZeroPages(uint64_t address, uint64_t bytes, Writes writes) override {
    return Do([&] { return real_.GiveZeroPages(address, bytes, writes); });
  }
  int SetWrites(uint64_t address, uint64_t bytes, Writes writes) override {
    return Do([&] { return real_.SetWrites(address, bytes, writes); });
  }
  void Wake(uint64_t address, uint64_t bytes) override {
    Do([&] {
      real_.Wake(address, bytes);
      return 0;
    });
  }

 private:
  template <typename Call>
  std::invoke_result_t<Call> Do(Call call) {
    const bool last = ++calls_ == last_;
    if (last && !after_) _exit(kDiedAsPlanned);
    auto result = call();
    if (last) _exit(kDiedAsPlanned);
    return result;
  }
  UserfaultDescriptor real_;
  const int last_;
  const bool after_;
  int calls_ = 0;
};

class RealFaultsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!memory_->refusal.empty()) GTEST_SKIP() << "SKIPPED: " << memory_->refusal;
    page_ = static_cast<hv_pager_page*>(MapShared());
    log_ = static_cast<std::byte*>(MapShared());
  }
  ~RealFaultsTest() override {
    munmap(page_, kPage);
    munmap(log_, kPage);
  }
  static void* MapShared() {
    return mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  }
  PageLog Written() const { return PageLog::Open({log_, kPage}, kBytes / kPage).value(); }

  // A process of mmu_svc's kind: `last` 0 lives on.
  pid_t StartPager(int last = 0, bool after = false) {
    const pid_t child = fork();
    if (child != 0) return child;
    MortalUserfault userfault(memory_->CopyFd(), last, after);
    WriteWatch watch(userfault, memory_->window(), Written(), watched_);
    Pager pager(userfault, memory_->window(), ReadAhead({{0, kBytes}}), watch, *page_);
    pager.TakeOver();
    while (pager.ServeOnce()) {
    }
    _exit(kServedToTheEnd);
  }
  static int End(pid_t child) {
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  // Ends it once it has nothing in hand.
  void EndIdle(pid_t pager) {
    while ((std::atomic_ref(page_->turn).load() & 1) != 0) std::this_thread::yield();
    kill(pager, SIGKILL);
    End(pager);
  }
  // Touches a page each 128 KiB and each of 1 MiB, some for reading and some for writing.
  void Touch() {
    volatile uint8_t* bytes = memory_->watched_bytes();
    for (uint64_t at = 0; at < 4 << 20; at += 128 << 10) EXPECT_EQ(bytes[at], 0);
    for (uint64_t at = 4 << 20; at < 5 << 20; at += kPage) bytes[at] = 1;
    done_ = true;
  }

  std::optional<WatchedMemory> memory_{std::in_place};
  hv_pager_page* page_ = nullptr;
  std::byte* log_ = nullptr;
  std::vector<Extent> watched_;
  std::atomic<bool> done_ = false;
};

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

class RealWritesTest : public RealFaultsTest {
 protected:
  void SetUp() override {
    RealFaultsTest::SetUp();
    if (IsSkipped()) return;
    if (!memory_->has_writes) {
      GTEST_SKIP() << "SKIPPED: userfaultfd: no write protection of shared memory";
    }
    watched_ = {{0, kBytes}};
  }
  void Arm() {
    UserfaultDescriptor userfault(memory_->CopyFd());
    EXPECT_EQ(userfault.SetWrites(memory_->window().address, kBytes, Writes::kTold), 0);
  }
  // What Touch has written, and nothing else.
  void ExpectAllNoted() {
    const std::string bitmap = Written().Read(0, kBytes / kPage);
    for (uint64_t page = 0; page < kBytes / kPage; ++page) {
      const bool is_set = (bitmap[page / 8] >> page % 8 & 1) != 0;
      EXPECT_EQ(is_set, page >= 1024 && page < 1280) << page;
    }
  }
};

TEST_F(RealWritesTest, EachFirstWriteIsNotedWhereverThePageWas) {
  memory_->other_bytes()[(4 << 20) + 5] = 42;  // there already, not in the watched mapping
  Arm();
  const pid_t pager = StartPager();
  Touch();
  Touch();
  EndIdle(pager);
  ExpectAllNoted();
  EXPECT_EQ(page_->writes, 256u);
  EXPECT_EQ(page_->stray_writes, 0u);
  EXPECT_EQ(page_->failed, 0u);
  EXPECT_EQ(memory_->watched_bytes()[(4 << 20) + 5], 42);
}

TEST_F(RealWritesTest, APageThatIsWatchedAnewIsNotedAnew) {
  Arm();
  const pid_t pager = StartPager();
  Touch();
  UserfaultDescriptor userfault(memory_->CopyFd());
  WriteWatch ours(userfault, memory_->window(), Written(), watched_);
  EXPECT_TRUE(ours.Rearm(0, Written().Read(0, kBytes / kPage)).ok());
  EXPECT_EQ(Written().Read(1024, 8), std::string(1, 0));
  memory_->watched_bytes()[(4 << 20) + 2 * kPage] = 2;
  EXPECT_EQ(Written().Read(1024, 8), std::string(1, 1 << 2));
  EndIdle(pager);
}

TEST_F(RealWritesTest, ProtectedPagesThatNobodyWatchesAreLetGo) {
  Arm();
  watched_.clear();
  const pid_t pager = StartPager();
  memory_->other_bytes()[0x3000] = 1;
  memory_->watched_bytes()[0x3000] = 2;
  EndIdle(pager);
  EXPECT_EQ(page_->stray_writes, 1u);
  EXPECT_EQ(Written().Read(0, 8), std::string(1, 0));
}

// Killed before and after each of its first calls, and again and again: the thread goes on, and
// what it has written is noted.
TEST_F(RealWritesTest, DeathsForgetNoWrite) {
  for (const bool after : {false, true}) {
    for (int last = 1; last <= 12; ++last) {
      memory_.emplace();
      std::fill_n(log_, kPage, std::byte{0});
      done_ = false;
      Arm();
      // It reads nothing that is missing, so that most calls are of writes.
      for (uint64_t at = 0; at < 4 << 20; at += 128 << 10) memory_->other_bytes()[at] = 0;
      const pid_t pager = StartPager(last, after);
      std::thread toucher([&] { Touch(); });
      EXPECT_EQ(End(pager), kDiedAsPlanned) << last << after;
      for (int deaths = 0; deaths < 5; ++deaths) End(StartPager(4 + deaths, after));
      const pid_t successor = StartPager();
      toucher.join();
      EndIdle(successor);
      ExpectAllNoted();
    }
  }
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
