#include "hvd/machine.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>

#include "abi/endpoint.h"
#include "abi/message.h"
#include "abi/state.h"
#include "abi/wake.h"
#include "hvd/fake_world.h"
#include "hvd/machine_config.h"
#include "hvd/machine_registry.h"
#include "ring/channel.h"
#include "ring/consumer.h"
#include "ring/producer.h"
#include "ring/shared_store.h"

namespace hv::hvd {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

constexpr int kParts = 7;  // hv_kernel and six services
constexpr ProcessEnd kSegv{.by_signal = true, .code = SIGSEGV};

int OpenDescriptors() {
  int count = 0;
  for (int fd = 0; fd < 4096; ++fd) count += fcntl(fd, F_GETFD) >= 0;
  return count;
}

hv::v1::KernelExit Exit(hv::v1::KernelStopCause cause, uint32_t value = 0) {
  hv::v1::KernelExit exit;
  exit.set_cause(cause);
  exit.set_value(value);
  return exit;
}

class MachineTest : public testing::Test {
 protected:
  MachineTest()
      : path_(fs::temp_directory_path() / ("machine" + std::to_string(getpid()))),
        folder_((fs::remove_all(path_), RuntimeFolder::Open(path_).value())) {
    std::ofstream(path_ + "/kernel") << "not really";
    config_.set_name("vm");
    config_.set_kernel(path_ + "/kernel");
    config_.set_memory_bytes(16 << 20);
    // Of each name one part lives; what waits to take over is in standby_test and
    // real_services_test.
    config_.set_no_standby(true);
  }
  ~MachineTest() override { fs::remove_all(path_); }

  std::shared_ptr<Machine> Create() {
    auto machine = registry_.Create(config_);
    EXPECT_TRUE(machine.ok()) << machine.status();
    return machine.ok() ? *machine : nullptr;
  }
  std::shared_ptr<Machine> CreateAndStart() {
    auto machine = Create();
    EXPECT_TRUE(machine->Start().ok());
    return machine;
  }
  // Waits for the machine's next event of that kind (and state, for STATE events).
  hv::v1::Event AwaitEvent(hv::v1::EventKind kind,
                           hv::v1::MachineState state = hv::v1::MACHINE_STATE_UNSPECIFIED) {
    while (true) {
      hv::v1::Event event;
      std::unique_lock lock(mutex_);
      changed_.wait(lock,
                    [&] { return events_.Take(watcher_, event) == EventBus::TakeResult::kEvent; });
      if (event.kind() != kind) continue;
      if (kind != hv::v1::EVENT_KIND_STATE || event.state() == state) return event;
    }
  }
  hv::v1::MachineExit AwaitStopped() {
    return AwaitEvent(hv::v1::EVENT_KIND_STATE, hv::v1::MACHINE_STATE_STOPPED).exit();
  }
  hv::v1::MachineState StateOf(const Machine& machine) { return machine.Show().state(); }

  std::mutex mutex_;
  std::condition_variable changed_;
  EventBus events_;
  EventBus::WatcherId watcher_ = events_.Watch("", nullptr, [this] {
    std::lock_guard lock(mutex_);
    changed_.notify_all();
  });
  std::string path_;
  RuntimeFolder folder_;
  EventLoop loop_;
  FakeLauncher launcher_;
  FakeLoader loader_;
  hv::v1::MachineConfig config_;
  MachineRegistry registry_{World{.loop = loop_,
                                  .launcher = launcher_,
                                  .loader = loader_,
                                  .events = events_,
                                  .folder = folder_,
                                  .tsc_hz = 1'000'000'000}};
};

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

TEST_F(MachineTest, PowerOffStopsItWithStatusZeroAndNothingLeft) {
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

TEST_F(MachineTest, DebugExitCarriesItsValue) {
  const auto machine = CreateAndStart();
  launcher_.Find("hv_kernel")->ReportExit(Exit(hv::v1::KERNEL_STOP_DEBUG_EXIT, 0x10));
  EXPECT_EQ(AwaitStopped().status(), 33u);
}

TEST_F(MachineTest, AStoppedMachineCanBeStartedAnew) {
  const auto machine = CreateAndStart();
  launcher_.Find("hv_kernel")->ReportExit(Exit(hv::v1::KERNEL_STOP_POWER_OFF));
  AwaitStopped();
  ASSERT_TRUE(machine->Start().ok());
  EXPECT_EQ(StateOf(*machine), hv::v1::MACHINE_STATE_RUNNING);
  EXPECT_FALSE(machine->Show().has_exit());
  EXPECT_EQ(launcher_.alive(), kParts);
}

TEST_F(MachineTest, AGuestThatResetsIsStartedAgainInFreshProcesses) {
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

TEST_F(MachineTest, AResetStopsItWhenThatIsAskedFor) {
  config_.set_on_reset(hv::v1::ON_RESET_STOP);
  const auto machine = CreateAndStart();
  launcher_.Find("hv_kernel")->ReportExit(Exit(hv::v1::KERNEL_STOP_RESET));
  EXPECT_EQ(AwaitStopped().cause(), hv::v1::EXIT_CAUSE_RESET);
}

TEST_F(MachineTest, ADeadServiceIsReplacedUnderTheNextEpochWithoutTheGuestStopping) {
  const auto machine = CreateAndStart();
  const auto first = launcher_.Await("timer_svc");
  first->Die(kSegv);
  EXPECT_EQ(AwaitEvent(hv::v1::EVENT_KIND_SERVICE_DIED).message(),
            "killed by signal 11 (Segmentation fault)");
  EXPECT_EQ(AwaitEvent(hv::v1::EVENT_KIND_SERVICE_REPLACED).service(), "timer_svc");
  const auto second = launcher_.Await("timer_svc", first->pid());
  EXPECT_EQ(second->AwaitAttached()->manifest().epoch(), 2u);
  EXPECT_EQ(second->AwaitAttached()->FindAs<hv_state_header>(HV_SEGMENT_STATE)->epoch, 2u);
  EXPECT_EQ(StateOf(*machine), hv::v1::MACHINE_STATE_RUNNING);
  EXPECT_EQ(launcher_.alive(), kParts);
}

TEST_F(MachineTest, TheSuccessorFindsWhatThePredecessorLeft) {
  CreateAndStart();
  const auto first = launcher_.Await("ioapic_svc");
  auto* header = first->AwaitAttached()->FindAs<hv_state_header>(HV_SEGMENT_STATE);
  ring::DirectStores stores;
  ring::StoreRelease(header->commit, uint64_t{77}, stores);
  first->Die(kSegv);
  const auto second = launcher_.Await("ioapic_svc", first->pid());
  EXPECT_EQ(second->AwaitAttached()->FindAs<hv_state_header>(HV_SEGMENT_STATE)->commit, 77u);
}

TEST_F(MachineTest, AServiceThatNeverDoesAnythingEndsDegradedAndIsShownSo) {
  const auto machine = CreateAndStart();
  {
    const auto first = launcher_.Await("power_svc");
    launcher_.die_attached.insert("power_svc");
    first->Die(kSegv);
  }
  const auto event = AwaitEvent(hv::v1::EVENT_KIND_DEGRADED);
  EXPECT_EQ(event.service(), "power_svc");
  EXPECT_EQ(launcher_.alive(), kParts - 1);
  ASSERT_EQ(machine->Show().degraded_size(), 1);
  EXPECT_NE(machine->Show().degraded(0).find("power_svc"), std::string::npos);
  const auto services = machine->Services().value();
  EXPECT_EQ(services.back().state(), "degraded");
  EXPECT_EQ(services.back().pid(), 0);
  EXPECT_EQ(StateOf(*machine), hv::v1::MACHINE_STATE_RUNNING) << "the operator decides";
}

TEST_F(MachineTest, AServiceThatWorksIsReplacedHoweverOftenItDies) {
  CreateAndStart();
  int pid = 0;
  for (uint32_t kill = 1; kill <= 2 * RespawnPolicy::kTries; ++kill) {
    const auto part = launcher_.Await("mmu_svc", pid);
    pid = part->pid();
    auto* header = part->AwaitAttached()->FindAs<hv_state_header>(HV_SEGMENT_STATE);
    ring::DirectStores stores;
    ring::StoreRelease(header->commit, uint64_t{kill}, stores);
    part->Die(kSegv);
    AwaitEvent(hv::v1::EVENT_KIND_SERVICE_REPLACED);
  }
}

TEST_F(MachineTest, DeathOfTheKernelEndsThisMachineAlone) {
  const auto machine = CreateAndStart();
  const auto victim = launcher_.Find("hv_kernel");
  config_.set_name("other");
  const auto other = CreateAndStart();
  victim->Die({.by_signal = true, .code = SIGKILL});
  const auto exit = AwaitStopped();
  EXPECT_EQ(exit.cause(), hv::v1::EXIT_CAUSE_KERNEL_DIED);
  EXPECT_EQ(exit.message(), "hv_kernel died: hv_kernel killed by signal 9 (Killed)");
  EXPECT_EQ(StateOf(*machine), hv::v1::MACHINE_STATE_STOPPED);
  EXPECT_EQ(StateOf(*other), hv::v1::MACHINE_STATE_RUNNING);
  EXPECT_EQ(launcher_.alive(), kParts);
}

TEST_F(MachineTest, StopWithoutGraceEndsItAtOnce) {
  const auto machine = CreateAndStart();
  ASSERT_TRUE(machine->Stop(seconds(0)).ok());
  EXPECT_EQ(StateOf(*machine), hv::v1::MACHINE_STATE_STOPPED);
  EXPECT_EQ(machine->Show().exit().cause(), hv::v1::EXIT_CAUSE_STOPPED);
  EXPECT_EQ(launcher_.alive(), 0);
  EXPECT_TRUE(machine->Stop(seconds(0)).ok()) << "again";
}

TEST_F(MachineTest, StopWithGracePressesTheButtonAndWaitsForTheGuest) {
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

TEST_F(MachineTest, AGuestThatIgnoresTheButtonIsEndedAfterItsGrace) {
  const auto machine = CreateAndStart();
  ASSERT_TRUE(machine->Stop(seconds(1)).ok());
  EXPECT_EQ(machine->Show().exit().cause(), hv::v1::EXIT_CAUSE_STOPPED);
}

TEST_F(MachineTest, ASecondStopWithoutGraceDoesNotWaitForTheFirst) {
  const auto machine = CreateAndStart();
  auto patient = std::async(std::launch::async, [&] { return machine->Stop(seconds(3600)); });
  AwaitEvent(hv::v1::EVENT_KIND_STATE, hv::v1::MACHINE_STATE_STOPPING);
  EXPECT_TRUE(machine->Stop(seconds(0)).ok());
  EXPECT_TRUE(patient.get().ok());
}

TEST_F(MachineTest, EveryFailureToCreateLeavesNothing) {
  const int before = OpenDescriptors();
  const auto expect_refused = [&](absl::StatusCode code) {
    const auto refused = registry_.Create(config_).status();
    EXPECT_EQ(refused.code(), code) << refused;
    EXPECT_EQ(launcher_.alive(), 0);
    EXPECT_TRUE(registry_.All().empty());
    EXPECT_FALSE(fs::exists(path_ + "/machines/vm"));
    EXPECT_LE(OpenDescriptors() - before, 2 * launcher_.launched());
  };
  config_.set_cpus(65);
  expect_refused(absl::StatusCode::kInvalidArgument);
  config_.set_cpus(1);
  config_.set_kernel(path_ + "/none");
  expect_refused(absl::StatusCode::kNotFound);
  config_.set_kernel(path_ + "/kernel");
  loader_.error = absl::InvalidArgumentError("kernel: not a kernel");
  expect_refused(absl::StatusCode::kInvalidArgument);
  loader_.error = absl::OkStatus();
  launcher_.missing = {"timer_svc"};
  expect_refused(absl::StatusCode::kNotFound);
  launcher_.missing = {"hv_kernel"};
  expect_refused(absl::StatusCode::kNotFound);
  launcher_.missing.clear();
  launcher_.die_at_once = {"serial_svc"};
  expect_refused(absl::StatusCode::kUnavailable);
  launcher_.die_at_once = {"hv_kernel"};
  expect_refused(absl::StatusCode::kUnavailable);
  launcher_.die_at_once.clear();
  EXPECT_NE(Create(), nullptr) << "and then it can be created";
}

TEST_F(MachineTest, ATakenNameIsRefusedAndTheFirstMachineUnharmed) {
  const auto machine = CreateAndStart();
  EXPECT_EQ(registry_.Create(config_).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(StateOf(*machine), hv::v1::MACHINE_STATE_RUNNING);
  EXPECT_EQ(launcher_.alive(), kParts);
}

TEST_F(MachineTest, UnknownNamesAreNotFoundAndTheKnownOnesNamed) {
  CreateAndStart();
  const auto status = registry_.Find("mv").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(status.message().find("vm"), absl::string_view::npos);
}

TEST_F(MachineTest, DeleteNeedsAStoppedMachineOrForce) {
  CreateAndStart();
  EXPECT_EQ(registry_.Delete("vm", false).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(registry_.Delete("vm", true).ok());
  AwaitEvent(hv::v1::EVENT_KIND_DELETED);
  EXPECT_EQ(launcher_.alive(), 0);
  EXPECT_TRUE(registry_.All().empty());
  EXPECT_EQ(registry_.Delete("vm", true).code(), absl::StatusCode::kNotFound);
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
  ASSERT_EQ(services.size(), size_t{kParts});
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

TEST_F(MachineTest, WhoEndsWithTheLastMachineTakesNoOtherAfterIt) {
  int ends = 0;
  MachineRegistry registry(World{.loop = loop_,
                                 .launcher = launcher_,
                                 .loader = loader_,
                                 .events = events_,
                                 .folder = folder_,
                                 .tsc_hz = 1'000'000'000},
                           [&ends] { ++ends; });
  ASSERT_TRUE(registry.Create(config_).ok());
  EXPECT_FALSE(registry.CloseIfEmpty());
  ASSERT_TRUE(registry.Delete("vm", false).ok());
  EXPECT_EQ(ends, 1);
  EXPECT_EQ(registry.Create(config_).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(MachineTest, TheLargestMachineCanBeMade) {
  config_.set_cpus(HV_MAX_VCPUS);
  EXPECT_NE(Create(), nullptr);
}

}  // namespace
}  // namespace hv::hvd
