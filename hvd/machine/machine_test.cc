#include "hvd/machine/machine.h"

#include <chrono>
#include <cstring>
#include <future>
#include <mutex>

#include "abi/endpoint.h"
#include "abi/message.h"
#include "abi/wake.h"
#include "hvd/testing/machine_fixture.h"
#include "ring/channel.h"
#include "ring/producer.h"
#include "ring/wake.h"

namespace hv::hvd {
namespace {

using std::chrono::seconds;

using MachineTest = MachineFixture;

TEST_F(MachineTest, CreateMakesEveryPartAndStartRunsTheGuest) {
  const auto machine = Create();
  EXPECT_EQ(StateOf(*machine), hv::v1::MACHINE_STATE_CREATED);
  EXPECT_EQ(launcher_.alive(), kParts);
  EXPECT_EQ(loader_.loaded_kernel, config_.kernel());
  EXPECT_TRUE(launcher_.Find("hv_kernel")->calls().empty());
  ASSERT_TRUE(machine->Start().ok());
  EXPECT_EQ(StateOf(*machine), hv::v1::MACHINE_STATE_RUNNING);
  EXPECT_EQ(launcher_.Find("hv_kernel")->calls(), std::vector<std::string>{"start"});
}

TEST_F(MachineTest, EachPartIsToldWhoItIsAndHowItIsConfigured) {
  config_.set_cpus(2);
  config_.set_debug_exit(true);
  Create();
  const auto kernel = launcher_.Await("hv_kernel")->AwaitAttached()->manifest();
  EXPECT_EQ(kernel.endpoint(), HV_ENDPOINT(HV_ROLE_KERNEL, 0));
  EXPECT_EQ(kernel.kernel().engine(), "soft");
  EXPECT_EQ(kernel.kernel().cpus(), 2u);
  EXPECT_FALSE(kernel.kernel().boot_state().empty());
  EXPECT_EQ(kernel.tsc_hz(), 1'000'000'000u);
  const auto mmu = launcher_.Await("mmu_svc")->AwaitAttached()->manifest();
  EXPECT_EQ(mmu.endpoint(), HV_ENDPOINT(HV_ROLE_MMU, 0));
  EXPECT_EQ(mmu.mmu().memory(0).bytes(), config_.memory_bytes());
  EXPECT_GT(mmu.mmu().routes_size(), 0);
  EXPECT_TRUE(launcher_.Await("power_svc")->AwaitAttached()->manifest().power().debug_exit());
  EXPECT_EQ(launcher_.Await("timer_svc")->AwaitAttached()->manifest().timer().cpus(), 2u);
  EXPECT_EQ(launcher_.Await("serial_svc")->AwaitAttached()->manifest().serial().port(), 0x3f8u);
  EXPECT_EQ(launcher_.Await("timer_svc")->AwaitAttached()->manifest().tsc_base(),
            kernel.tsc_base());
}

TEST_F(MachineTest, PauseAndResumeAreIdempotentAndRefusedElsewhere) {
  const auto machine = Create();
  EXPECT_EQ(machine->Pause().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(machine->Resume().code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(machine->Start().ok());
  EXPECT_TRUE(machine->Resume().ok());
  EXPECT_TRUE(machine->Pause().ok());
  EXPECT_TRUE(machine->Pause().ok());
  EXPECT_EQ(StateOf(*machine), hv::v1::MACHINE_STATE_PAUSED);
  EXPECT_TRUE(machine->Resume().ok());
  EXPECT_EQ(launcher_.Find("hv_kernel")->calls(),
            (std::vector<std::string>{"start", "pause", "resume"}));
}

TEST_F(MachineTest, APauseThatFailedIsTakenBack) {
  const auto machine = CreateAndStart();
  launcher_.Find("hv_kernel")->FailPauses();
  EXPECT_EQ(machine->Pause().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(machine->Registers().status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(StateOf(*machine), hv::v1::MACHINE_STATE_RUNNING);
  EXPECT_EQ(launcher_.Find("hv_kernel")->calls(),
            (std::vector<std::string>{"start", "pause", "resume", "pause", "resume"}));
}

TEST_F(MachineTest, StartIsRefusedWhileItRuns) {
  const auto machine = CreateAndStart();
  const auto status = machine->Start();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find("vm is running"), absl::string_view::npos) << status;
}

TEST_F(MachineTest, ConsoleGoesThroughTheRingsOfTheSerialService) {
  const auto machine = CreateAndStart();
  const auto& segments = launcher_.Await("serial_svc")->AwaitAttached()->segments();
  const uint32_t host = HV_ENDPOINT(HV_ROLE_HOST, 0);
  for (const auto& segment : segments) {
    if (segment.kind != HV_SEGMENT_CHANNEL || segment.peer != host) continue;
    const auto view = ring::OpenChannel(segment.mapping.bytes(), segment.endpoint, segment.peer);
    ring::Producer producer(view->outbound);
    hv_cell cell{.kind = HV_KIND_CONSOLE_OUTPUT};
    const hv_bytes bytes{.length = 2, .bytes = {'o', 'k'}};
    std::memcpy(cell.payload, &bytes, sizeof(bytes));
    producer.Push(cell);
  }
  ring::Waker(launcher_.Find("serial_svc")->AwaitAttached()->FindAs<hv_wake>(HV_SEGMENT_WAKE, host))
      .Wake();
  std::promise<void> ready;
  std::once_flag once;
  const auto reader =
      machine->console().Attach(0, [&] { std::call_once(once, [&] { ready.set_value(); }); });
  std::string output;
  uint64_t offset;
  if (machine->console().Read(reader, 100, offset, output) != ConsoleHub::ReadResult::kData) {
    ready.get_future().wait();
    EXPECT_EQ(machine->console().Read(reader, 100, offset, output), ConsoleHub::ReadResult::kData);
  }
  EXPECT_EQ(output, "ok");
  machine->console().Detach(reader);
}

TEST_F(MachineTest, ServicesShowsEveryProcess) {
  const auto machine = CreateAndStart();
  const auto services = machine->Services().value();
  ASSERT_EQ(services.size(), size_t{kParts} + 1);
  EXPECT_EQ(services.back().name(), "hvd");
  EXPECT_EQ(services[0].name(), "hv_kernel");
  for (const auto& service : services) {
    EXPECT_GT(service.pid(), 0);
    EXPECT_EQ(service.epoch(), 1u);
    EXPECT_EQ(service.state(), "running");
  }
  EXPECT_EQ(services[1].sandbox(0), "seccomp");
  ASSERT_TRUE(machine->Stop(seconds(0)).ok());
  EXPECT_EQ(machine->Services().status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(MachineTest, StatsComeFromTheKernel) {
  const auto machine = CreateAndStart();
  EXPECT_EQ(machine->Stats()->vcpus(0).exits(0).value(), 42u);
}

TEST_F(MachineTest, RegistersOfARunningGuestPauseItForTheMoment) {
  config_.set_cpus(2);
  const auto machine = CreateAndStart();
  const auto registers = machine->Registers();
  ASSERT_TRUE(registers.ok()) << registers.status();
  EXPECT_EQ(registers->size(), 2u);
  EXPECT_EQ(launcher_.Find("hv_kernel")->calls(),
            (std::vector<std::string>{"start", "pause", "registers", "registers", "resume"}));
  EXPECT_EQ(StateOf(*machine), hv::v1::MACHINE_STATE_RUNNING);
}

TEST_F(MachineTest, TheLargestMachineCanBeMade) {
  config_.set_cpus(HV_MAX_VCPUS);
  EXPECT_NE(Create(), nullptr);
}

}  // namespace
}  // namespace hv::hvd
