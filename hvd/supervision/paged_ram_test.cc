// Guest RAM that a real mmu_svc pages and watches, with a hv_kernel that is the test.
#include <signal.h>

#include <thread>

#include "abi/endpoint.h"
#include "abi/pager_page.h"
#include "abi/state.h"
#include "hvd/supervision/mmu_client.h"
#include "hvd/supervision/real_services.h"
#include "hvd/supervision/write_registration.h"
#include "hvd/testing/watched_ram.h"
#include "ring/segment.h"
#include "ring/shared_store.h"

namespace hv::hvd {
namespace {

class PagedRamTest : public RealServices {
 protected:
  void SetUp() override {
    auto userfault = WatchRam(ram_.bytes());
    if (!userfault.ok()) GTEST_SKIP() << "SKIPPED: " << userfault.status();
    plan_.paging = {.userfault = *std::move(userfault),
                    .address = reinterpret_cast<uint64_t>(ram_.bytes().data()),
                    .bytes = ram_.bytes().size(),
                    .notice = ""};
    StartAll();
  }
  // Stops it while its loop sleeps with nothing to do.
  void StopAsleep(pid_t pid) {
    const uint64_t& waiting = set_.state_header(kMmu)->waiting;
    for (;;) {
      while (ring::LoadRelaxed(waiting) == 0) std::this_thread::yield();
      ASSERT_EQ(kill(pid, SIGSTOP), 0);
      while (ReadProcessActivity(pid).state != 'T') std::this_thread::yield();
      if (ring::LoadRelaxed(waiting) != 0) return;
      ASSERT_EQ(kill(pid, SIGCONT), 0);
    }
  }
  // A page of a chunk that nobody has touched.
  void TouchNew() { ram_.bytes()[(next_ += 1 << 20)] = std::byte{1}; }

  static constexpr uint32_t kMmu = HV_ENDPOINT(HV_ROLE_MMU, 0);
  const ring::Mapping ram_ =
      ring::Mapping::Map(set_.guest_ram().fd.get(), set_.guest_ram().bytes, true).value();
  size_t next_ = 0;
};

TEST_F(PagedRamTest, MmuSvcGivesWhatIsTouchedFromInsideItsSandbox) {
  TouchNew();
  EXPECT_GE(set_.pager_page().faults, 1u);
  EXPECT_GE(set_.pager_page().pages, 1u);
  EXPECT_EQ(set_.pager_page().refused, 0u);
  EXPECT_EQ(set_.pager_page().failed, 0u);
}

TEST_F(PagedRamTest, FaultsAreServedByWhicheverProcessLives) {
  for (int deaths = 1; deaths <= 5; ++deaths) {
    const pid_t pid = StatusOf(kMmu).pid();
    std::thread vcpu([&] {
      for (int i = 0; i < 8; ++i) TouchNew();
    });
    ASSERT_EQ(kill(pid, SIGKILL), 0);
    vcpu.join();
    AwaitReplaced(deaths);
  }
  EXPECT_GE(set_.pager_page().wakes, 5u);
}

// The loop of mmu_svc sleeps with nothing to do meanwhile, which is no hang.
TEST_F(PagedRamTest, OneThatIsStoppedWhileAFaultWaitsIsReplacedForThat) {
  for (int stops = 1; stops <= 3; ++stops) {
    StopAsleep(StatusOf(kMmu).pid());
    TouchNew();  // given by the next one
    AwaitReplaced(stops);
    std::lock_guard lock(mutex_);
    EXPECT_EQ(last_death_,
              "hung with page faults of the guest waiting for 50 ms, killed by signal 9 (Killed)");
  }
}

// What is watched and what was written is there for whichever process lives.
TEST_F(PagedRamTest, WritesAreToldAndTakenThoughMmuSvcDies) {
  if (const auto status = RegisterForWrites(plan_.paging, set_.pager_page()); !status.ok()) {
    GTEST_SKIP() << "SKIPPED: " << status;
  }
  constexpr uint64_t kFirst = 1 << 20, kPage = 4096;
  MmuClient mmu([&] { return supervisor_->Client(kMmu); });
  const auto watched = mmu.SetWriteWatch(kFirst, 64 * kPage, true);
  ASSERT_TRUE(watched.ok()) << watched.status();
  EXPECT_TRUE(watched->regions(1).write_watch());
  for (int deaths = 1; deaths <= 5; ++deaths) {
    const pid_t pid = StatusOf(kMmu).pid();
    std::thread vcpu([&] {
      for (uint64_t page = deaths % 2; page < 64; page += 2) {
        ram_.bytes()[kFirst + page * kPage] = std::byte{1};
      }
    });
    ASSERT_EQ(kill(pid, SIGKILL), 0);
    vcpu.join();
    AwaitReplaced(deaths);
    const auto written = mmu.ReadWrittenPages(0);
    ASSERT_TRUE(written.ok()) << written.status();
    EXPECT_EQ(written->address(), kFirst);
    EXPECT_EQ(written->bitmap(), std::string(8, deaths % 2 == 0 ? 0x55 : '\xaa'));
    ASSERT_TRUE(mmu.RewatchPages(*written).ok());
  }
  EXPECT_EQ(set_.pager_page().stray_writes, 0u);
  EXPECT_EQ(set_.pager_page().refused, 0u);
}

}  // namespace
}  // namespace hv::hvd
