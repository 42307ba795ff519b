// How a machine ends or starts anew: by its guest, or by who asks for it.
#include <chrono>
#include <filesystem>
#include <future>
#include <thread>

#include "abi/endpoint.h"
#include "abi/message.h"
#include "hvd/testing/machine_fixture.h"
#include "ring/channel.h"
#include "ring/consumer.h"

namespace hv::hvd {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

using MachineEndTest = MachineFixture;

TEST_F(MachineEndTest, PowerOffStopsItWithStatusZeroAndNothingLeft) {
  const int before = OpenDescriptors();
  const auto machine = CreateAndStart();
  launcher_.Find("hv_kernel")->ReportExit(Exit(hv::v1::KERNEL_STOP_POWER_OFF));
  const auto exit = AwaitStopped();
  EXPECT_EQ(exit.cause(), hv::v1::EXIT_CAUSE_POWER_OFF);
  EXPECT_EQ(exit.status(), 0u);
  EXPECT_EQ(launcher_.alive(), 0);
  EXPECT_FALSE(fs::exists(path_ + "/machines/vm"));
  // Parts in this test are threads of this process and keep theirs until the launcher forgets them.
  EXPECT_LE(OpenDescriptors() - before, 2 * kParts);
}

TEST_F(MachineEndTest, DebugExitCarriesItsValue) {
  const auto machine = CreateAndStart();
  launcher_.Find("hv_kernel")->ReportExit(Exit(hv::v1::KERNEL_STOP_DEBUG_EXIT, 0x10));
  EXPECT_EQ(AwaitStopped().status(), 33u);
}

TEST_F(MachineEndTest, AStoppedMachineCanBeStartedAnew) {
  const auto machine = CreateAndStart();
  launcher_.Find("hv_kernel")->ReportExit(Exit(hv::v1::KERNEL_STOP_POWER_OFF));
  AwaitStopped();
  ASSERT_TRUE(machine->Start().ok());
  EXPECT_EQ(StateOf(*machine), hv::v1::MACHINE_STATE_RUNNING);
  EXPECT_FALSE(machine->Show().has_exit());
  EXPECT_EQ(launcher_.alive(), kParts);
}

TEST_F(MachineEndTest, AGuestThatResetsIsStartedAgainInFreshProcesses) {
  const auto machine = CreateAndStart();
  const auto first = launcher_.Find("hv_kernel");
  first->ReportExit(Exit(hv::v1::KERNEL_STOP_RESET));
  AwaitEvent(hv::v1::EVENT_KIND_RESTARTED);
  AwaitEvent(hv::v1::EVENT_KIND_STATE, hv::v1::MACHINE_STATE_RUNNING);
  EXPECT_EQ(machine->Show().restarts(), 1u);
  EXPECT_FALSE(first->alive());
  EXPECT_EQ(launcher_.Await("hv_kernel", first->pid())->calls(), std::vector<std::string>{"start"});
  EXPECT_EQ(launcher_.alive(), kParts);
}

TEST_F(MachineEndTest, AResetStopsItWhenThatIsAskedFor) {
  config_.set_on_reset(hv::v1::ON_RESET_STOP);
  const auto machine = CreateAndStart();
  launcher_.Find("hv_kernel")->ReportExit(Exit(hv::v1::KERNEL_STOP_RESET));
  EXPECT_EQ(AwaitStopped().cause(), hv::v1::EXIT_CAUSE_RESET);
}

TEST_F(MachineEndTest, StopWithoutGraceEndsItAtOnce) {
  const auto machine = CreateAndStart();
  ASSERT_TRUE(machine->Stop(seconds(0)).ok());
  EXPECT_EQ(StateOf(*machine), hv::v1::MACHINE_STATE_STOPPED);
  EXPECT_EQ(machine->Show().exit().cause(), hv::v1::EXIT_CAUSE_STOPPED);
  EXPECT_EQ(launcher_.alive(), 0);
  EXPECT_TRUE(machine->Stop(seconds(0)).ok()) << "again";
}

TEST_F(MachineEndTest, StopWithGracePressesTheButtonAndWaitsForTheGuest) {
  const auto machine = CreateAndStart();
  const auto power = launcher_.Await("power_svc");
  const auto kernel = launcher_.Find("hv_kernel");
  auto stopped = std::async(std::launch::async, [&] { return machine->Stop(seconds(60)); });
  AwaitEvent(hv::v1::EVENT_KIND_STATE, hv::v1::MACHINE_STATE_STOPPING);
  // The guest: sees the button, switches itself off.
  const auto& segments = power->AwaitAttached()->segments();
  bool pressed = false;
  for (const auto& segment : segments) {
    if (segment.kind != HV_SEGMENT_CHANNEL || segment.peer != HV_ENDPOINT(HV_ROLE_HOST, 0)) {
      continue;
    }
    const auto view = ring::OpenChannel(segment.mapping.bytes(), segment.endpoint, segment.peer);
    const ring::Consumer consumer(view->inbound);
    while (!consumer.Ready()) std::this_thread::yield();
    hv_cell cell;
    ASSERT_EQ(consumer.Peek(cell), ring::PeekResult::kMessage);
    EXPECT_EQ(cell.kind, HV_KIND_POWER_BUTTON);
    pressed = true;
  }
  EXPECT_TRUE(pressed);
  kernel->ReportExit(Exit(hv::v1::KERNEL_STOP_POWER_OFF));
  EXPECT_TRUE(stopped.get().ok());
  EXPECT_EQ(machine->Show().exit().cause(), hv::v1::EXIT_CAUSE_POWER_OFF);
}

TEST_F(MachineEndTest, AGuestThatIgnoresTheButtonIsEndedAfterItsGrace) {
  const auto machine = CreateAndStart();
  ASSERT_TRUE(machine->Stop(seconds(1)).ok());
  EXPECT_EQ(machine->Show().exit().cause(), hv::v1::EXIT_CAUSE_STOPPED);
}

TEST_F(MachineEndTest, ASecondStopWithoutGraceDoesNotWaitForTheFirst) {
  const auto machine = CreateAndStart();
  auto patient = std::async(std::launch::async, [&] { return machine->Stop(seconds(3600)); });
  AwaitEvent(hv::v1::EVENT_KIND_STATE, hv::v1::MACHINE_STATE_STOPPING);
  EXPECT_TRUE(machine->Stop(seconds(0)).ok());
  EXPECT_TRUE(patient.get().ok());
}

}  // namespace
}  // namespace hv::hvd
