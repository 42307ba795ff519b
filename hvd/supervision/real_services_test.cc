// The supervisor with the real service processes, and a vCPU's end of their rings in the test's
// hands.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

#include "abi/endpoint.h"
#include "abi/message.h"
#include "abi/pager_page.h"
#include "abi/platform.h"
#include "abi/route_table.h"
#include "abi/state.h"
#include "base/temporary_folder.h"
#include "hvd/host/machine_clock_base.h"
#include "hvd/host/posix_launcher.h"
#include "hvd/machine/memory_map.h"
#include "hvd/plan/topology.h"
#include "hvd/supervision/mmu_client.h"
#include "hvd/supervision/supervisor.h"
#include "hvd/supervision/write_registration.h"
#include "hvd/testing/fake_keeper.h"
#include "hvd/testing/watched_ram.h"
#include "ring/consumer.h"
#include "ring/producer.h"
#include "ring/wake.h"

namespace hv::hvd {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kVcpu = HV_ENDPOINT(HV_ROLE_KERNEL, 0);
constexpr std::chrono::seconds kTimeout{20};

// A vCPU's channel with one service.
class Line {
 public:
  Line(const SegmentSet& set, uint32_t service)
      : channel_(Map(*set.Find(HV_SEGMENT_CHANNEL, kVcpu, service))),
        own_wake_(Map(*set.Find(HV_SEGMENT_WAKE, kVcpu))),
        peer_wake_(Map(*set.Find(HV_SEGMENT_WAKE, service))),
        view_(ring::OpenChannel(channel_.bytes(), kVcpu, service).value()),
        producer_(view_.outbound),
        consumer_(view_.inbound),
        sleeper_(own_wake_.As<hv_wake>()) {}

  void SendRead(hv_space space, uint64_t address, uint8_t width) {
    hv_cell cell{.kind = HV_KIND_READ, .tag = ++tag_};
    const hv_access access{
        .address = address, .width = width, .space = static_cast<uint8_t>(space)};
    std::memcpy(cell.payload, &access, sizeof(access));
    ASSERT_TRUE(producer_.HasRoom(1));
    producer_.Push(cell);
    ring::Waker(peer_wake_.As<hv_wake>()).Wake();
  }
  // The answer to the last SendRead.
  uint64_t Answer() {
    const auto deadline = EventLoop::Clock::now() + kTimeout;
    hv_cell cell;
    while (consumer_.Peek(cell) != ring::PeekResult::kMessage) {
      if (EventLoop::Clock::now() > deadline) {
        ADD_FAILURE() << "no answer to request " << tag_;
        return 0;
      }
      const uint32_t word = sleeper_.Declare();
      if (consumer_.Ready()) {
        sleeper_.Cancel();
      } else {
        sleeper_.Sleep(word, 10'000'000);
      }
    }
    consumer_.Advance();
    ring::DirectStores stores;
    consumer_.Acknowledge(stores);
    EXPECT_EQ(cell.kind, HV_KIND_READ_DONE);
    EXPECT_EQ(cell.tag, tag_) << "each request is answered once, in order";
    hv_access_done done;
    std::memcpy(&done, cell.payload, sizeof(done));
    return done.data;
  }
  uint64_t Read(hv_space space, uint64_t address, uint8_t width) {
    SendRead(space, address, width);
    return Answer();
  }
  bool HasMore() const { return consumer_.Ready(); }

 private:
  static ring::Mapping Map(const OwnedSegment& segment) {
    return ring::Mapping::Map(segment.fd.get(), segment.bytes, true).value();
  }
  ring::Mapping channel_, own_wake_, peer_wake_;
  ring::ChannelView view_;
  ring::Producer producer_;
  ring::Consumer consumer_;
  ring::Sleeper sleeper_;
  uint32_t tag_ = 0;
};

class RealServicesTest : public testing::Test {
 protected:
  RealServicesTest()
      : log_(open(log_path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600)) {
    config_.set_memory_bytes(64 << 20);
    plan_.name = "test";
    plan_.memory_bytes = config_.memory_bytes();
    plan_.engine = "soft";
    plan_.clock = StartClock(HostTscHz().value());
    plan_.memory_map = BuildMemoryMap(config_);
    supervisor_ = std::make_unique<Supervisor>(
        Supervisor::Parts{.loop = loop_,
                          .launcher = launcher_,
                          .segments = set_,
                          .plan = plan_,
                          .records = records_,
                          .log = log_.get(),
                          .on_event = [this](const ServiceEvent& event) { OnEvent(event); }});
  }
  ~RealServicesTest() override {
    supervisor_.reset();
    if (HasFailure()) std::cerr << std::ifstream(log_path_).rdbuf();
  }

  void StartAll() {
    const auto started = supervisor_->Start(topology_.services);
    ASSERT_TRUE(started.ok()) << started;
    const auto ready = supervisor_->AwaitReady(kTimeout);
    ASSERT_TRUE(ready.ok()) << ready;
  }
  void OnEvent(const ServiceEvent& event) {
    std::lock_guard lock(mutex_);
    if (event.kind == hv::v1::EVENT_KIND_SERVICE_REPLACED) ++replaced_;
    if (event.kind == hv::v1::EVENT_KIND_DEGRADED) degraded_ = event.message;
    if (event.kind == hv::v1::EVENT_KIND_SERVICE_DIED) last_death_ = event.message;
    changed_.notify_all();
  }
  void AwaitReplaced(int count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kTimeout, [&] { return replaced_ >= count; }));
    EXPECT_EQ(degraded_, "");
  }
  hv::v1::ServiceStatus StatusOf(uint32_t endpoint) {
    for (auto& status : supervisor_->Status()) {
      if (status.endpoint() == endpoint) return status;
    }
    ADD_FAILURE() << "no service " << endpoint;
    return {};
  }
  // Not there at once, but without being asked for.
  void AwaitStandby(uint32_t endpoint) {
    while (StatusOf(endpoint).standby_pid() == 0) std::this_thread::yield();
  }

  const TemporaryFolder temporary_;
  const fs::path log_path_ = temporary_.path() / "log";
  UniqueFd log_;
  hv::v1::MachineConfig config_;
  Topology topology_ = PlanTopology(1);
  SegmentSet set_ = SegmentSet::Make(topology_, 64 << 20).value();
  MachinePlan plan_;
  FakeKeeper keeper_;
  MachineRecords records_{keeper_, "test"};
  EventLoop loop_;
  PosixLauncher launcher_{Executables::Beside(fs::current_path() / "hvd")};
  std::mutex mutex_;
  std::condition_variable changed_;
  int replaced_ = 0;
  std::string degraded_;
  std::string last_death_;
  std::unique_ptr<Supervisor> supervisor_;
};

TEST_F(RealServicesTest, EveryServiceStartsUnderItsNameAndIsHeldIn) {
  StartAll();
  for (const auto& status : supervisor_->Status()) {
    std::string comm;
    std::ifstream("/proc/" + std::to_string(status.pid()) + "/comm") >> comm;
    EXPECT_EQ(comm, status.name());
    EXPECT_GT(status.maps_size(), 0) << status.name() << " does not describe itself";
    EXPECT_NE(std::find(status.sandbox().begin(), status.sandbox().end(), "seccomp"),
              status.sandbox().end())
        << status.name();
    EXPECT_GT(status.steps(), 0u) << status.name();
    std::cout << status.name() << ": " << status.private_bytes() / 1024 << " KiB private, "
              << status.resident_bytes() / 1024 << " KiB resident\n";
  }
}

TEST_F(RealServicesTest, TablesArePublishedOnceAllAreReady) {
  StartAll();
  const OwnedSegment* segment = set_.Find(HV_SEGMENT_ROUTE_TABLE, 0);
  const auto mapping = ring::Mapping::Map(segment->fd.get(), segment->bytes, false).value();
  const auto& table = *mapping.As<hv_route_table>();
  EXPECT_EQ(table.generation % 2, 0u);
  EXPECT_EQ(table.route_count, static_cast<uint32_t>(plan_.memory_map.routes_size()));
  EXPECT_EQ(table.slot_count, static_cast<uint32_t>(plan_.memory_map.memory_size()));
}

TEST_F(RealServicesTest, ChangesOfTheMapArePublishedAndSurviveMmuSvc) {
  StartAll();
  constexpr uint32_t kMmu = HV_ENDPOINT(HV_ROLE_MMU, 0);
  const OwnedSegment* segment = set_.Find(HV_SEGMENT_ROUTE_TABLE, 0);
  const auto mapping = ring::Mapping::Map(segment->fd.get(), segment->bytes, false).value();
  const auto& table = *mapping.As<hv_route_table>();
  MmuClient mmu([&] { return supervisor_->Client(kMmu); });

  const auto changed = mmu.SetWriteProtection(0x100000, 0x1000, true);
  ASSERT_TRUE(changed.ok()) << changed.status();
  EXPECT_EQ(table.generation, changed->generation());
  EXPECT_EQ(table.slot_count, 3u);
  EXPECT_EQ(table.slots[1].address, 0x100000u);
  EXPECT_EQ(table.slots[1].flags, HV_MEMORY_READ_ONLY | HV_MEMORY_PROTECTED);

  ASSERT_EQ(kill(StatusOf(kMmu).pid(), SIGKILL), 0);
  const auto logged = mmu.SetDirtyLogging(0, 0, true);  // waits for the successor
  ASSERT_TRUE(logged.ok()) << logged.status();
  EXPECT_TRUE(logged->regions(1).write_protected());
  EXPECT_TRUE(logged->regions(1).dirty_logging());
  EXPECT_EQ(table.generation, changed->generation() + 2);
}

TEST_F(RealServicesTest, TheDirtyLogIsReadAndClearedInTheSegment) {
  StartAll();
  MmuClient mmu([&] { return supervisor_->Client(HV_ENDPOINT(HV_ROLE_MMU, 0)); });
  const OwnedSegment* segment = set_.Find(HV_SEGMENT_DIRTY_LOG, 0);
  const auto mapping = ring::Mapping::Map(segment->fd.get(), segment->bytes, true).value();
  auto* words = reinterpret_cast<uint64_t*>(mapping.bytes().data() + sizeof(hv_dirty_log));
  ASSERT_TRUE(mmu.SetDirtyLogging(0, 0, true).ok());
  words[1] = 0x8001;
  const auto read = mmu.ReadDirtyLog(0);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->bitmap().substr(8, 2), "\x01\x80");
  words[1] |= 2;
  ASSERT_TRUE(mmu.ClearDirtyLog(*read).ok());
  EXPECT_EQ(words[1], 2u);
}

TEST_F(RealServicesTest, AServiceKilledAgainAndAgainAnswersEachRequestOnce) {
  StartAll();
  constexpr uint32_t kTimer = HV_ENDPOINT(HV_ROLE_TIMER, 0);
  constexpr int kKills = 20;
  Line line(set_, kTimer);
  uint64_t last = line.Read(HV_SPACE_PORT, HV_PORT_PM_TIMER, 4);
  for (int kill_count = 1; kill_count <= kKills; ++kill_count) {
    const pid_t pid = StatusOf(kTimer).pid();
    line.SendRead(HV_SPACE_PORT, HV_PORT_PM_TIMER, 4);
    ASSERT_EQ(kill(pid, SIGKILL), 0);
    const uint64_t now = line.Answer();
    EXPECT_NE(now, last) << "the PM timer stood still";
    last = now;
    AwaitReplaced(kill_count);
    for (int i = 0; i < 10; ++i) line.Read(HV_SPACE_PORT, HV_PORT_PM_TIMER, 4);
  }
  EXPECT_FALSE(line.HasMore());
  EXPECT_EQ(StatusOf(kTimer).epoch(), 1u + kKills);
}

TEST_F(RealServicesTest, EachServiceGoesOnAfterItsDeath) {
  StartAll();
  int killed = 0;
  for (uint32_t service : topology_.services) {
    const auto before = StatusOf(service);
    ASSERT_EQ(kill(before.pid(), SIGSEGV), 0);
    AwaitReplaced(++killed);
    const auto ready = supervisor_->AwaitReady(kTimeout);
    EXPECT_TRUE(ready.ok()) << ready;
    const auto after = StatusOf(service);
    EXPECT_EQ(after.epoch(), 2u) << after.name();
    EXPECT_NE(after.pid(), before.pid());
    EXPECT_GE(after.steps(), before.steps()) << after.name() << " began anew";
  }
}

TEST_F(RealServicesTest, TheOneThatWaitsTakesOver) {
  StartAll();
  int killed = 0;
  for (uint32_t service : topology_.services) {
    AwaitStandby(service);
    const auto before = StatusOf(service);
    ASSERT_EQ(kill(before.pid(), SIGKILL), 0);
    AwaitReplaced(++killed);
    EXPECT_EQ(StatusOf(service).pid(), before.standby_pid()) << before.name();
    AwaitStandby(service);  // for the next time
  }
}

TEST_F(RealServicesTest, AServiceThatIsStoppedIsReplaced) {
  StartAll();
  constexpr uint32_t kTimer = HV_ENDPOINT(HV_ROLE_TIMER, 0);
  Line line(set_, kTimer);
  line.Read(HV_SPACE_PORT, HV_PORT_PM_TIMER, 4);
  for (int stops = 1; stops <= 3; ++stops) {
    const pid_t pid = StatusOf(kTimer).pid();
    ASSERT_EQ(kill(pid, SIGSTOP), 0);
    line.Read(HV_SPACE_PORT, HV_PORT_PM_TIMER, 4);  // answered by the next one
    AwaitReplaced(stops);
    EXPECT_NE(StatusOf(kTimer).pid(), pid);
  }
  EXPECT_FALSE(line.HasMore());
}

// The test plays hv_kernel: a thread of it touches guest RAM that mmu_svc pages.
class PagedRamTest : public RealServicesTest {
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

TEST_F(RealServicesTest, NobodyWaitsWhereThePlanSaysSo) {
  plan_.standby = false;
  StartAll();
  const auto before = StatusOf(HV_ENDPOINT(HV_ROLE_TIMER, 0));
  EXPECT_EQ(before.standby_pid(), 0);
  ASSERT_EQ(kill(before.pid(), SIGKILL), 0);
  AwaitReplaced(1);
}

TEST_F(RealServicesTest, NoneIsLeftWhenTheSupervisorIsGone) {
  StartAll();
  std::vector<pid_t> pids;
  for (const auto& status : supervisor_->Status()) pids.push_back(status.pid());
  supervisor_.reset();
  for (pid_t pid : pids) EXPECT_EQ(kill(pid, 0), -1) << pid;
}

}  // namespace
}  // namespace hv::hvd
