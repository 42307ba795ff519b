// Crashes the runtime after every single store it makes to shared memory, in turn, lets a successor
// attach, and compares what the peers saw and what the state became with an undisturbed run.
#include <memory>
#include <vector>

#include "gtest/gtest.h"
#include "ring/test_channel.h"
#include "service/committer.h"
#include "service/test_core.h"

namespace hv::service {
namespace {

constexpr uint32_t kSelf = HV_ENDPOINT(HV_ROLE_TIMER, 0);
constexpr uint32_t kCapacity = 128;
constexpr uint64_t kMessages = 12;
constexpr size_t kSegmentBytes = 256 * 1024;

struct Crash {};

// Throws after the store that was asked for: nothing later in the process happens.
struct CrashingStores {
  int* left = nullptr;  // stores until the crash; null: never
  void After() {
    if (left != nullptr && --*left == 0) throw Crash{};
  }
};

// One end of a channel in ordinary memory, formatted as hvd would.
class Wire {
 public:
  explicit Wire(uint32_t peer) : memory_(HV_CHANNEL_BYTES(kCapacity) / 64), peer_(peer) {
    ring::FormatChannel(bytes(), kSelf, peer, 1, kCapacity);
    far_ = ring::OpenChannel(bytes(), peer, kSelf).value();
  }
  Port port() { return {peer_, ring::OpenChannel(bytes(), kSelf, peer_).value()}; }
  ring::RingView to_service() const { return far_.outbound; }
  ring::RingView from_service() const { return far_.inbound; }

 private:
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  std::span<std::byte> bytes() {
    return {reinterpret_cast<std::byte*>(memory_.data()), memory_.size() * sizeof(Line)};
  }
  std::vector<Line> memory_;
  uint32_t peer_;
  ring::ChannelView far_;
};

// Everything that outlives the service process, and the peers that look on.
class World {
 public:
  World() : segment_(kSegmentBytes / sizeof(uint64_t)) {
    StateSegment::Format(bytes(), HV_ROLE_TIMER, 1);
    ring::Producer sender(vcpu_.to_service());
    for (uint64_t i = 0; i < kMessages; ++i) {
      hv_cell cell{};
      cell.kind = HV_KIND_DEADLINE_SET;
      cell.tag = static_cast<uint32_t>(i);
      const hv_deadline number{.time_ns = i * i + 1};
      std::memcpy(cell.payload, &number, sizeof(number));
      sender.Push(cell);
    }
  }

  // A process: attaches, recovers, works until there is nothing left or it crashes.
  void RunProcess(CrashingStores stores) {
    auto state = StateSegment::Open(bytes(), HV_ROLE_TIMER, 1, core_.state_bytes(), 1).value();
    const std::vector<Port> ports{vcpu_.port(), ioapic_.port()};
    Committer<CrashingStores> committer(core_, state, kSelf, ports, stores);
    committer.Recover(0);
    uint64_t now_ns = 0;
    while (committer.HasRoom() && committer.StepMessage(0, ++now_ns)) {
      if (now_ns % 4 == 0) committer.StepTick(now_ns);
    }
    committer.AcknowledgeAll();
  }

  // What a peer has received, in order, as (tag, first payload word).
  static std::vector<std::pair<uint32_t, uint64_t>> Received(const ring::RingView& ring) {
    std::vector<std::pair<uint32_t, uint64_t>> seen;
    ring::Consumer consumer(ring);
    hv_cell cell;
    while (consumer.Peek(cell) == ring::PeekResult::kMessage) {
      uint64_t word;
      std::memcpy(&word, cell.payload, sizeof(word));
      seen.emplace_back(cell.tag, word);
      consumer.Advance();
    }
    return seen;
  }
  auto SeenByVcpu() const { return Received(vcpu_.from_service()); }
  auto SeenByIoapic() const { return Received(ioapic_.from_service()); }
  SumState state() {
    auto segment = StateSegment::Open(bytes(), HV_ROLE_TIMER, 1, core_.state_bytes(), 1).value();
    return *static_cast<const SumState*>(segment.current_state());
  }
  uint64_t projected() const { return core_.projected_sum; }

 private:
  std::span<std::byte> bytes() {
    return {reinterpret_cast<std::byte*>(segment_.data()), kSegmentBytes};
  }
  std::vector<uint64_t> segment_;
  Wire vcpu_{SumCore::kVcpu};
  Wire ioapic_{SumCore::kIoapic};
  SumCore core_;
};

// Runs a process that dies after `stores` stores; true if it got to the end instead.
bool RunUntilCrash(World& world, int stores) {
  try {
    world.RunProcess({&stores});
    return true;
  } catch (const Crash&) {
    return false;
  }
}

class CrashTest : public testing::Test {
 protected:
  CrashTest() { undisturbed_.RunProcess({}); }
  void ExpectSameAsUndisturbed(World& world, int crash_at) {
    EXPECT_EQ(world.SeenByVcpu(), undisturbed_.SeenByVcpu()) << "crash after store " << crash_at;
    EXPECT_EQ(world.SeenByIoapic(), undisturbed_.SeenByIoapic()) << "crash at " << crash_at;
    EXPECT_EQ(world.state().sum, undisturbed_.state().sum) << "crash after store " << crash_at;
    EXPECT_EQ(world.state().messages, kMessages) << "crash after store " << crash_at;
    EXPECT_EQ(world.projected(), undisturbed_.state().sum) << "crash after store " << crash_at;
  }
  World undisturbed_;
};

TEST_F(CrashTest, TheUndisturbedRunAnswersEveryMessageOnce) {
  EXPECT_EQ(undisturbed_.SeenByVcpu().size(), kMessages);
  EXPECT_EQ(undisturbed_.SeenByIoapic().size(), 1 + kMessages / 3);
}

TEST_F(CrashTest, OneCrashAfterAnyStoreChangesNothing) {
  bool finished = false;
  int crash_at = 1;
  for (; !finished; ++crash_at) {
    World world;
    finished = RunUntilCrash(world, crash_at);
    if (!finished) world.RunProcess({});
    ExpectSameAsUndisturbed(world, crash_at);
  }
  // Eight stores a published cell and one a commit, at the least: the loop really went through them.
  EXPECT_GT(crash_at, static_cast<int>(kMessages * 9));
}

TEST_F(CrashTest, CrashingAgainAndAgainChangesNothing) {
  for (int stride = 9; stride < 60; ++stride) {
    World world;
    for (int lives = 0; !RunUntilCrash(world, stride) && lives < 1000; ++lives) {
    }
    world.RunProcess({});
    ExpectSameAsUndisturbed(world, stride);
  }
}

}  // namespace
}  // namespace hv::service
