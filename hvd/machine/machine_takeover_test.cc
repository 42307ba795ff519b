// An hvd that is killed while its machines run, and the next one that takes them over.
#include <set>

#include "abi/endpoint.h"
#include "abi/state.h"
#include "hvd/testing/machine_fixture.h"
#include "hvd/testing/watched_ram.h"
#include "ring/shared_store.h"

namespace hv::hvd {
namespace {

using std::chrono::seconds;

class MachineTakeoverTest : public MachineFixture {
 protected:
  std::shared_ptr<Machine> Create() {
    auto machine = hvd_->Create(config_);
    EXPECT_TRUE(machine.ok()) << machine.status();
    return machine.ok() ? *machine : nullptr;
  }
  std::shared_ptr<Machine> CreateAndStart() {
    auto machine = Create();
    EXPECT_TRUE(machine->Start().ok());
    return machine;
  }
  // As SIGKILL: its objects go without any effect on parts and records.
  void KillHvd() {
    keeper_.BecomeDeaf();
    launcher_.LoseProcesses();
    hvd_.reset();
  }
  void StartHvd() {
    Records records = keeper_.TakeOver();
    hvd_.emplace(world());
    report_ = hvd_->Restore(std::move(records));
  }
  std::shared_ptr<Machine> RestartHvd() {
    KillHvd();
    StartHvd();
    const auto machine = hvd_->Find("vm");
    EXPECT_TRUE(machine.ok()) << machine.status();
    return machine.ok() ? *machine : nullptr;
  }
  std::vector<hv::v1::ServiceStatus> ServicesOf(Machine& machine) {
    return machine.Services().value();
  }
  std::set<pid_t> Pids(Machine& machine) {
    std::set<pid_t> pids;
    for (const auto& service : ServicesOf(machine)) pids.insert(service.pid());
    return pids;
  }
  void AwaitAlive(int parts) {
    while (launcher_.alive() != parts) std::this_thread::yield();
  }

  std::optional<MachineRegistry> hvd_{std::in_place, world()};
  std::vector<std::string> report_;
};

TEST_F(MachineTakeoverTest, ARunningMachineGoesOnInTheSameProcesses) {
  auto machine = CreateAndStart();
  const auto before = machine->Show();
  const std::set<pid_t> pids = Pids(*machine);
  machine.reset();
  machine = RestartHvd();
  EXPECT_EQ(report_, std::vector<std::string>{"machine vm is taken over"});
  EXPECT_EQ(machine->Show().DebugString(), before.DebugString());
  EXPECT_EQ(Pids(*machine), pids);
  EXPECT_EQ(launcher_.alive(), kParts);
  for (const auto& service : ServicesOf(*machine)) {
    EXPECT_EQ(service.state(), "running") << service.name();
    EXPECT_EQ(service.epoch(), 1u) << service.name();
    EXPECT_GT(service.name() == "hv_kernel" ? 1 : service.maps_size(), 0) << service.name();
  }
}

TEST_F(MachineTakeoverTest, TheNextHvdHandsOnTheUserfaultfd) {
  config_.set_paging("auto");
  launcher_.watch_memory = WatchRam;
  auto machine = CreateAndStart();
  const auto first = launcher_.Await("mmu_svc");
  const auto before = first->AwaitAttached()->manifest();
  if (!before.has_userfault()) GTEST_SKIP() << "SKIPPED: this host permits no userfaultfd";
  machine.reset();
  machine = RestartHvd();
  first->Die(kSegv);
  AwaitEvent(hv::v1::EVENT_KIND_SERVICE_REPLACED);
  const auto after = launcher_.Await("mmu_svc", first->pid())->AwaitAttached()->manifest();
  ASSERT_TRUE(after.has_userfault());
  EXPECT_EQ(after.userfault().address(), before.userfault().address());
  EXPECT_EQ(after.userfault().bytes(), before.userfault().bytes());
}

TEST_F(MachineTakeoverTest, WhyTheHostPagesIsStillKnown) {
  config_.set_paging("auto");
  CreateAndStart();
  const auto machine = RestartHvd();
  const auto status = machine->WithMemory([&](MachineMemory& memory) {
    EXPECT_EQ(memory.Show()->paging().notice(), "not in a test");
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(MachineTakeoverTest, ItIsPausedResumedStoppedAndDeletedAsBefore) {
  CreateAndStart();
  auto machine = RestartHvd();
  EXPECT_TRUE(machine->Pause().ok());
  EXPECT_TRUE(machine->Resume().ok());
  EXPECT_EQ(launcher_.Find("hv_kernel")->calls(),
            (std::vector<std::string>{"start", "resume", "pause", "resume"}));
  EXPECT_TRUE(machine->Stop(seconds(0)).ok());
  EXPECT_EQ(launcher_.alive(), 0);
  ASSERT_TRUE(machine->Start().ok()) << "a new life";
  EXPECT_EQ(launcher_.alive(), kParts);
  machine.reset();
  EXPECT_TRUE(hvd_->Delete("vm", /*force=*/true).ok());
  EXPECT_EQ(launcher_.alive(), 0);
  EXPECT_EQ(keeper_.keys(), std::set<std::string>());
}

TEST_F(MachineTakeoverTest, APausedGuestStaysPaused) {
  CreateAndStart()->Pause().IgnoreError();
  const auto machine = RestartHvd();
  EXPECT_EQ(StateOf(*machine), hv::v1::MACHINE_STATE_PAUSED);
  EXPECT_EQ(launcher_.Find("hv_kernel")->calls().back(), "pause");
}

TEST_F(MachineTakeoverTest, AGuestThatWasNotStartedIsNot) {
  Create();
  const auto machine = RestartHvd();
  EXPECT_EQ(StateOf(*machine), hv::v1::MACHINE_STATE_CREATED);
  EXPECT_TRUE(launcher_.Find("hv_kernel")->calls().empty());
  EXPECT_TRUE(machine->Start().ok());
}

TEST_F(MachineTakeoverTest, AStoppedMachineIsStillShownWithItsExit) {
  CreateAndStart()->Stop(seconds(0)).IgnoreError();
  const auto machine = RestartHvd();
  EXPECT_EQ(StateOf(*machine), hv::v1::MACHINE_STATE_STOPPED);
  EXPECT_EQ(machine->Show().exit().cause(), hv::v1::EXIT_CAUSE_STOPPED);
}

TEST_F(MachineTakeoverTest, AServiceThatDiedMeanwhileIsReplacedUnderTheNextEpoch) {
  CreateAndStart();
  const auto first = launcher_.Await("timer_svc");
  KillHvd();
  first->Die(kSegv);
  StartHvd();
  EXPECT_EQ(AwaitEvent(hv::v1::EVENT_KIND_SERVICE_DIED).service(), "timer_svc");
  AwaitEvent(hv::v1::EVENT_KIND_SERVICE_REPLACED);
  const auto second = launcher_.Await("timer_svc", first->pid());
  EXPECT_EQ(second->AwaitAttached()->manifest().epoch(), 2u);
  EXPECT_EQ(launcher_.alive(), kParts);
}

TEST_F(MachineTakeoverTest, AServiceThatDiesLaterIsReplacedAndTheNextHvdKnowsItsSuccessor) {
  CreateAndStart();
  RestartHvd();
  const auto first = launcher_.Await("timer_svc");
  first->Die(kSegv);
  AwaitEvent(hv::v1::EVENT_KIND_SERVICE_REPLACED);
  const auto second = launcher_.Await("timer_svc", first->pid());
  const auto machine = RestartHvd();
  EXPECT_EQ(Pids(*machine).count(second->pid()), 1u);
  EXPECT_EQ(launcher_.alive(), kParts);
}

TEST_F(MachineTakeoverTest, TheSuccessorKeepsTheClockOfItsMachine) {
  CreateAndStart();
  const auto first = launcher_.Await("timer_svc");
  RestartHvd();
  first->Die(kSegv);
  const auto second = launcher_.Await("timer_svc", first->pid());
  const auto& before = first->AwaitAttached()->manifest();
  const auto& after = second->AwaitAttached()->manifest();
  EXPECT_EQ(after.tsc_base(), before.tsc_base());
  EXPECT_EQ(after.tsc_hz(), before.tsc_hz());
  EXPECT_EQ(after.realtime_base_ns(), before.realtime_base_ns());
}

TEST_F(MachineTakeoverTest, AnEndThatNobodyHeardIsHeardByTheNextHvd) {
  CreateAndStart();
  const auto kernel = launcher_.Find("hv_kernel");
  KillHvd();
  kernel->ReportExit(Exit(hv::v1::KERNEL_STOP_DEBUG_EXIT, 0x10));
  StartHvd();
  EXPECT_EQ(AwaitStopped().status(), 33u);
  EXPECT_EQ(launcher_.alive(), 0);
}

TEST_F(MachineTakeoverTest, ALaterEndAndResetAreHeardToo) {
  CreateAndStart();
  RestartHvd();
  const auto kernel = launcher_.Find("hv_kernel");
  kernel->ReportExit(Exit(hv::v1::KERNEL_STOP_RESET));
  AwaitEvent(hv::v1::EVENT_KIND_RESTARTED);
  AwaitEvent(hv::v1::EVENT_KIND_STATE, hv::v1::MACHINE_STATE_RUNNING);
  EXPECT_EQ(RestartHvd()->Show().restarts(), 1u);
  launcher_.Await("hv_kernel", kernel->pid())->ReportExit(Exit(hv::v1::KERNEL_STOP_POWER_OFF));
  EXPECT_EQ(AwaitStopped().cause(), hv::v1::EXIT_CAUSE_POWER_OFF);
  EXPECT_EQ(launcher_.alive(), 0);
}

TEST_F(MachineTakeoverTest, AKernelThatDiedMeanwhileEndsTheMachine) {
  CreateAndStart();
  const auto kernel = launcher_.Find("hv_kernel");
  KillHvd();
  kernel->Die(kSegv);
  StartHvd();
  const auto exit = AwaitStopped();
  EXPECT_EQ(exit.cause(), hv::v1::EXIT_CAUSE_KERNEL_DIED);
  EXPECT_EQ(launcher_.alive(), 0);
}

TEST_F(MachineTakeoverTest, OutputGoesOnWhereItWas) {
  CreateAndStart()->console().Append("before ");
  const auto after = RestartHvd();
  EXPECT_EQ(after->Show().console_bytes(), 7u);
  after->console().Append("after");
  const auto reader = after->console().Attach(0, [] {});
  std::string output;
  uint64_t offset;
  after->console().Read(reader, 100, offset, output);
  EXPECT_EQ(output, "before after");
}

TEST_F(MachineTakeoverTest, StandbysAreTheNextHvdsOwn) {
  config_.set_no_standby(false);
  CreateAndStart();
  AwaitAlive(kParts + 6);
  const auto machine = RestartHvd();
  AwaitAlive(kParts + 6);  // those of the killed hvd have ended
  for (const auto& service : ServicesOf(*machine)) {
    const bool has_one = service.name() != "hv_kernel" && service.name() != "hvd";
    EXPECT_EQ(service.standby_pid() != 0, has_one) << service.name();
  }
}

TEST_F(MachineTakeoverTest, WhatIsLeftOfAMachineThatWasBeingMadeIsEnded) {
  CreateAndStart();
  KillHvd();
  Records records = keeper_.TakeOver();
  records.erase("vm");
  hvd_.emplace(world());
  report_ = hvd_->Restore(std::move(records));
  EXPECT_TRUE(hvd_->All().empty());
  EXPECT_EQ(launcher_.alive(), 0);
  EXPECT_EQ(keeper_.keys(), std::set<std::string>());
}

TEST_F(MachineTakeoverTest, AMachineWithoutItsSegmentsIsStoppedWithTheReason) {
  CreateAndStart();
  KillHvd();
  Records records = keeper_.TakeOver();
  records.erase("vm/life");
  hvd_.emplace(world());
  hvd_->Restore(std::move(records));
  const auto shown = hvd_->Find("vm").value()->Show();
  EXPECT_EQ(shown.state(), hv::v1::MACHINE_STATE_STOPPED);
  EXPECT_EQ(shown.exit().cause(), hv::v1::EXIT_CAUSE_INTERNAL_ERROR);
  EXPECT_NE(shown.exit().message().find("hvd was killed"), std::string::npos)
      << shown.exit().message();
  EXPECT_EQ(launcher_.alive(), 0);
}

TEST_F(MachineTakeoverTest, RecordsThatMakeNoSenseAreReportedAndRemoved) {
  CreateAndStart();
  KillHvd();
  Records records = keeper_.TakeOver();
  records["vm"].bytes = "\xff\xff";
  records["other/part/00000001"].bytes = "\xff\xff";
  hvd_.emplace(world());
  report_ = hvd_->Restore(std::move(records));
  EXPECT_EQ(report_.size(), 4u);
  EXPECT_TRUE(hvd_->All().empty());
  EXPECT_EQ(launcher_.alive(), 0);
  EXPECT_EQ(keeper_.keys(), std::set<std::string>());
}

TEST_F(MachineTakeoverTest, ManyHvdsInTurnLeakNothing) {
  CreateAndStart();
  // Each part has its connection once it has answered.
  ServicesOf(*RestartHvd());
  const int before = OpenDescriptors();
  for (int i = 0; i < 5; ++i) RestartHvd();
  // gRPC closes its ends of broken connections when it comes to it.
  while (OpenDescriptors() > before) std::this_thread::yield();
  EXPECT_EQ(launcher_.alive(), kParts);
}

}  // namespace
}  // namespace hv::hvd
