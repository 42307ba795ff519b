// Guests that write memory which is watched while mmu_svc, which is told, is killed and stopped;
// and what the engine's dirty log says of the same writes.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

#include "integration_tests/fault/mmu_svc/paged_guest.h"

namespace hv::testing {
namespace {

constexpr char kKernel[] = "integration_tests/fault/guests/rewrite_memory.elf";
constexpr char kFewPagesKernel[] = "integration_tests/fault/guests/rewrite_few_pages.elf";
// What they write in each round.
constexpr uint64_t kFirst = 0x1000000 / 4096, kPages = 2048, kFewPages = 512;

using Pages = std::set<uint64_t>;

class WatchTest : public PagedGuest {
 protected:
  void SetUp() override {
    PagedGuest::SetUp();
    if (IsSkipped()) return;
    const std::string found = Doctor("write watch");
    if (!Contains(found, "possible")) GTEST_SKIP() << "SKIPPED: " << found;
  }
  void Begin(const char* kernel = kKernel) {
    guest_ = hvctl_.Start(RunArguments(kernel));
    ASSERT_TRUE(guest_->Expect("round "));
  }
  void Switch(const char* option, const std::vector<std::string>& more = {}) {
    std::vector<std::string> command{"memory", "vm", option, "on"};
    command.insert(command.end(), more.begin(), more.end());
    const auto said = hvctl_.Run(command);
    EXPECT_EQ(said.status, 0) << said.errors;
  }
  Pages Take(const char* option) {
    Pages pages;
    const auto taken = Ask<hv::v1::TakeDirtyLogResponse>({"memory", "vm", option, "take"});
    for (const auto& range : taken.ranges()) {
      for (uint64_t i = 0; i < range.bitmap().size() * 8; ++i) {
        const bool is_set = (range.bitmap()[i / 8] >> i % 8 & 1) != 0;
        if (is_set) pages.insert(range.address() / 4096 + i);
      }
    }
    EXPECT_EQ(pages.size(), taken.dirty_pages());
    return pages;
  }
  // A whole round that begins after now; lines of earlier ones may still be on their way.
  void GoRound() {
    StopRounds();
    guest_->Type("gs");
    EXPECT_TRUE(guest_->Expect("stopped")) << guest_->output();
    guest_->Type("g");
  }
  void StopRounds() {
    guest_->Type("s");
    EXPECT_TRUE(guest_->Expect("stopped")) << guest_->output();
  }
  void Leave() {
    StopRounds();
    guest_->Type("x");
    EXPECT_EQ(guest_->Wait(), kDebugExitZero) << guest_->output();
  }
  static size_t OfRounds(const Pages& pages) {
    return std::count_if(pages.begin(), pages.end(),
                         [](uint64_t page) { return page >= kFirst && page < kFirst + kPages; });
  }
  static void ExpectAllIn(const Pages& some, const Pages& all) {
    for (const uint64_t page : some) EXPECT_TRUE(all.contains(page)) << std::hex << page;
  }

  std::unique_ptr<Child> guest_;
};

INSTANTIATE_TEST_SUITE_P(Engines, WatchTest, ::testing::ValuesIn(engines::kEngines),
                         [](const auto& info) { return std::string(info.param); });

// Round by round: what both say is of the same time.
TEST_P(WatchTest, TheDirtyLogMissesNothingThatTheHostTellsOf) {
  Begin(kFewPagesKernel);
  StopRounds();
  Switch("--dirty-log");
  Switch("--watch-writes");
  for (int round = 0; round < 20; ++round) {
    guest_->Type("gs");
    ASSERT_TRUE(guest_->Expect("stopped")) << guest_->output();
    const Pages written = Take("--watch-writes");
    EXPECT_EQ(OfRounds(written), kFewPages) << round;
    ExpectAllIn(written, Take("--dirty-log"));
    EXPECT_EQ(OfRounds(Take("--watch-writes")), 0u) << "nobody wrote";
  }
  EXPECT_EQ(Paging().refused(), 0u);
  guest_->Type("x");
  EXPECT_EQ(guest_->Wait(), kDebugExitZero);
}

// What was written after the watch was taken last and before the log was, is in that log; what a
// vCPU has written that is inside while the log is read, is in the next one.
TEST_P(WatchTest, TheDirtyLogMissesNothingWhileTheGuestWrites) {
  Begin();
  Switch("--dirty-log");
  Switch("--watch-writes");
  Pages written, before_last, last;
  for (int round = 0; round < 20; ++round) {
    const Pages now = Take("--watch-writes");
    const Pages dirty = Take("--dirty-log");
    Pages all = before_last;
    all.insert(last.begin(), last.end());
    all.insert(dirty.begin(), dirty.end());
    ExpectAllIn(written, all);
    written = now;
    before_last = last;
    last = dirty;
  }
  Leave();
}

TEST_P(WatchTest, KilledWhileWritesWaitNoneIsForgotten) {
  Begin();
  Switch("--watch-writes");
  std::atomic<bool> is_over = false;
  std::thread killer([&] {
    while (!is_over) Do("kill");
  });
  for (int round = 0; round < 10; ++round) {
    Take("--watch-writes");
    GoRound();
    EXPECT_EQ(OfRounds(Take("--watch-writes")), kPages) << round;
  }
  is_over = true;
  killer.join();
  EXPECT_GE(Paging().wakes(), 5u);
  EXPECT_EQ(Paging().refused(), 0u);
  EXPECT_EQ(Paging().stray_writes(), 0u);
  Leave();
}

TEST_P(WatchTest, StoppedWhileWritesWaitItIsReplaced) {
  Begin();
  Switch("--watch-writes");
  for (int round = 0; round < 3; ++round) {
    Take("--watch-writes");
    Do("stop");
    GoRound();
    EXPECT_EQ(OfRounds(Take("--watch-writes")), kPages) << round;
  }
  EXPECT_GE(Paging().wakes(), 2u);
  Leave();
}

TEST_P(WatchTest, ARangeIsWatchedUntilItIsSwitchedOff) {
  Begin();
  Switch("--watch-writes", {"--at", "0x1004000", "--bytes", "8192"});
  EXPECT_TRUE(Contains(hvctl_.Run({"memory", "vm"}).output, "write watch"));
  GoRound();
  EXPECT_EQ(Take("--watch-writes"), (Pages{kFirst + 4, kFirst + 5}));
  const auto off = hvctl_.Run({"memory", "vm", "--watch-writes", "off"});
  EXPECT_EQ(off.status, 0) << off.errors;
  EXPECT_FALSE(Contains(off.output, "write watch"));
  const uint64_t writes = Paging().writes();
  GoRound();
  EXPECT_EQ(Paging().writes(), writes);
  EXPECT_LE(Paging().stray_writes(), 2u) << "those made while it was switched off";
  EXPECT_NE(hvctl_.Run({"memory", "vm", "--watch-writes", "take"}).status, 0);
  Leave();
}

// With the userfaultfd, the next hvd and its mmu_svc have the watch.
TEST_P(WatchTest, HvdKilledTheWatchGoesOn) {
  Begin();
  Switch("--watch-writes");
  Take("--watch-writes");
  const pid_t hvd = hvctl_.HvdPid();
  Signal(hvd, SIGKILL);
  ASSERT_TRUE(Hvctl::AwaitEnd(hvd));
  // hvctl run starts the next one.
  while (hvctl_.Run({"ps"}).status != 0) guest_->Pump();
  GoRound();
  EXPECT_EQ(OfRounds(Take("--watch-writes")), kPages);
  Leave();
}

TEST(UnwatchedTest, WhereTheHostPagesTheAnswerSaysWhatWouldHelp) {
  const Hvctl hvctl;
  const auto guest = hvctl.Start({"run", "--name", "vm", "--engine", "soft", "--memory", "64M",
                                  "--paging", "host", "--debug-exit", "--kernel", kKernel});
  ASSERT_TRUE(guest->Expect("round "));
  for (const char* what : {"on", "off", "take"}) {
    const auto said = hvctl.Run({"memory", "vm", "--watch-writes", what});
    EXPECT_NE(said.status, 0);
    EXPECT_TRUE(Contains(said.errors, "hvctl doctor")) << said.errors;
  }
  hvctl.Run({"rm", "--force", "vm"});
}

}  // namespace
}  // namespace hv::testing
