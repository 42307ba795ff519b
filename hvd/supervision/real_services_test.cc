// Real service processes, and a vCPU's end of their rings in the test's hands.
#include "hvd/supervision/real_services.h"

#include <signal.h>

#include "abi/endpoint.h"
#include "abi/message.h"
#include "abi/platform.h"
#include "abi/route_table.h"
#include "abi/state.h"
#include "hvd/supervision/mmu_client.h"
#include "ring/consumer.h"
#include "ring/producer.h"
#include "ring/wake.h"

namespace hv::hvd {
namespace {

using RealServicesTest = RealServices;

constexpr uint32_t kVcpu = HV_ENDPOINT(HV_ROLE_KERNEL, 0);

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
