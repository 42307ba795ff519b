// Writes of a real process to pages that are watched.
#include <algorithm>

#include "mmu_svc/pager/real_faults.h"

namespace hv::mmu {
namespace {

class RealWritesTest : public RealFaults {
 protected:
  void SetUp() override {
    RealFaults::SetUp();
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

}  // namespace
}  // namespace hv::mmu
