// Guests that touch new memory while mmu_svc, which gives it to them, is killed and stopped, and
// hvd with it.
#include <gtest/gtest.h>
#include <signal.h>

#include <functional>

#include "integration_tests/fault/mmu_svc/paged_guest.h"
#include "integration_tests/harness/linux_guest.h"

namespace hv::testing {
namespace {

constexpr char kKernel[] = "integration_tests/fault/guests/touch_memory.elf";
class PagingTest : public PagedGuest {
 protected:
  std::vector<std::string> RunArguments() const { return PagedGuest::RunArguments(kKernel); }
  // Does it again and again until the guest has touched all, and looked at all.
  void Torment(Child& guest, const std::function<void()>& what, int least) {
    int times = 0;
    while (!Contains(guest.output(), "all touched") && Alive(guest.pid())) {
      what();
      ++times;
      guest.Pump();
    }
    EXPECT_GE(times, least) << "it was over too soon to show anything";
    EXPECT_TRUE(guest.Expect("all right")) << guest.output();
  }
};

INSTANTIATE_TEST_SUITE_P(Engines, PagingTest, ::testing::ValuesIn(engines::kEngines),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(PagingTest, AGuestGetsItsMemoryFromMmuSvc) {
  const auto guest = hvctl_.Start(RunArguments());
  ASSERT_TRUE(guest->Expect("all right")) << guest->output();
  const auto paging = Paging();
  EXPECT_TRUE(paging.on_demand());
  EXPECT_GE(paging.faults(), 7000u) << "each page is one";
  EXPECT_GE(paging.pages(), paging.faults());
  EXPECT_EQ(paging.refused(), 0u);
  EXPECT_EQ(paging.failed(), 0u);
  EXPECT_EQ(paging.wakes(), 1u);
  EXPECT_TRUE(Contains(hvctl_.Run({"memory", "vm"}).output, "paged by          mmu_svc"));
  EXPECT_TRUE(Contains(hvctl_.Run({"stats", "vm"}).output, "pages read ahead"));
  guest->Type("x");
  EXPECT_EQ(guest->Wait(), kDebugExitZero);
}

TEST_P(PagingTest, KilledAgainAndAgainWhileMemoryIsTouchedNoPageIsLost) {
  const auto guest = hvctl_.Start(RunArguments());
  ASSERT_TRUE(guest->Expect("touched "));
  Torment(
      *guest, [this] { Do("kill"); }, 3);
  const auto paging = Paging();
  EXPECT_GE(paging.wakes(), 4u);
  EXPECT_EQ(paging.refused(), 0u);
  EXPECT_EQ(paging.failed(), 0u);
  guest->Type("x");
  EXPECT_EQ(guest->Wait(), kDebugExitZero);
}

TEST_P(PagingTest, StoppedWhileMemoryIsTouchedItIsReplaced) {
  const auto guest = hvctl_.Start(RunArguments());
  ASSERT_TRUE(guest->Expect("touched "));
  Torment(
      *guest, [this] { Do("stop"); }, 2);
  EXPECT_GE(Paging().wakes(), 2u);
  guest->Type("x");
  EXPECT_EQ(guest->Wait(), kDebugExitZero);
}

TEST_P(PagingTest, PausingAndReloadingTheMapWaitForNoFaultThatNobodyAnswers) {
  const auto guest = hvctl_.Start(RunArguments());
  ASSERT_TRUE(guest->Expect("touched "));
  Torment(
      *guest,
      [this] {
        Do("kill");
        EXPECT_EQ(hvctl_.Run({"memory", "vm", "--dirty-log", "on"}).status, 0);
        EXPECT_EQ(hvctl_.Run({"pause", "vm"}).status, 0);
        EXPECT_EQ(hvctl_.Run({"resume", "vm"}).status, 0);
      },
      1);
  guest->Type("x");
  EXPECT_EQ(guest->Wait(), kDebugExitZero);
}

TEST_P(PagingTest, AMachineIsEndedThoughItsGuestWaitsForAPage) {
  auto arguments = RunArguments();
  // Nobody comes to its help in time.
  arguments.insert(arguments.end(), {"--hang-timeout", "60000"});
  const auto guest = hvctl_.Start(arguments);
  ASSERT_TRUE(guest->Expect("touched "));
  const pid_t kernel = PidOf("hv_kernel");
  ASSERT_GT(kernel, 0);
  Do("stop");
  EXPECT_EQ(hvctl_.Run({"stop", "--force", "vm"}).status, 0);
  EXPECT_TRUE(Hvctl::AwaitEnd(kernel));
  guest->Wait();
  EXPECT_FALSE(Contains(guest->output(), "all touched")) << "the test shows nothing";
}

// The userfaultfd lies with hv_keeper: the mmu_svc that the next hvd starts has it too.
TEST_P(PagingTest, HvdKilledWithMmuSvcTheNextOneGoesOn) {
  auto arguments = RunArguments();
  // Stopped, mmu_svc leaves the guest waiting until it is killed: only its successor can help.
  arguments.insert(arguments.end(), {"--detach", "--hang-timeout", "60000"});
  ASSERT_EQ(hvctl_.Run(arguments).status, 0);
  {
    const auto console = hvctl_.Start({"console", "vm", "--all"}, true);
    ASSERT_TRUE(console->Expect("touched "));
  }
  const pid_t hvd = hvctl_.HvdPid();
  ASSERT_GT(hvd, 0);
  const pid_t mmu = PidOf("mmu_svc");
  ASSERT_GT(mmu, 0);
  Signal(mmu, SIGSTOP);
  Signal(hvd, SIGKILL);
  Signal(mmu, SIGKILL);
  ASSERT_TRUE(Hvctl::AwaitEnd(hvd));
  const auto next = hvctl_.Run({"doctor"});
  ASSERT_EQ(next.status, 0) << next.errors;
  const auto console = hvctl_.Start({"console", "vm", "--all"}, true);
  ASSERT_TRUE(console->Expect("all right")) << console->output();
  const auto paging = Paging();
  EXPECT_TRUE(paging.on_demand());
  EXPECT_GE(paging.wakes(), 2u);
}

// A whole system boots, and its mmu_svc is killed all the while.
TEST(PagedLinuxTest, BootsWhileMmuSvcIsKilled) {
  const Hvctl hvctl;
  if (Contains(hvctl.Run({"doctor"}).output, "not here, the host pages guest memory")) {
    GTEST_SKIP() << "SKIPPED: this host permits no userfaultfd; hvctl doctor says why";
  }
  auto arguments = RunLinux("vm");
  arguments.insert(arguments.end(), {"--paging", "demand"});
  const auto guest = hvctl.Start(arguments, true);
  ASSERT_TRUE(guest->Expect("Linux version"));
  int kills = 0;
  while (!Contains(guest->output(), kPrompt) && Alive(guest->pid())) {
    kills +=
        hvctl.Run({"fault", "set", "vm", "--service", "mmu_svc", "--at", "now", "--do", "kill"})
            .status == 0;
    guest->Pump();
  }
  EXPECT_GT(kills, 5);
  guest->Type("dd if=/dev/zero of=/tmp/x bs=1M count=64; sha1sum /tmp/x; echo end $((1 + 1))\r");
  // Of 64 MiB of zeros.
  ASSERT_TRUE(guest->Expect("44fac4bedde4df04b9572ac665d3ac2c5cd00c7d")) << guest->output();
  guest->Type("poweroff\r");
  EXPECT_EQ(guest->Wait(), 0);
}

}  // namespace
}  // namespace hv::testing
