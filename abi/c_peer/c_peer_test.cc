// A process written in C from abi/ alone at the other end of a C++ ring: what another language
// needs is in the headers.
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>

#include "abi/message.h"
#include "gtest/gtest.h"
#include "ring/test_channel.h"

namespace hv::ring {
namespace {

constexpr char kProgram[] = "abi/c_peer/echo_peer";
constexpr int kChannelFd = 3;
constexpr uint32_t kCapacity = 16;
constexpr uint32_t kEpoch = 0x10005;  // only its low half stands in cells

class CPeerTest : public testing::Test {
 protected:
  CPeerTest()
      : fd_(CreateSegment("test", HV_CHANNEL_BYTES(kCapacity)).value()),
        mapping_(Mapping::Map(fd_.get(), HV_CHANNEL_BYTES(kCapacity), true).value()) {
    FormatChannel(mapping_.bytes(), kSideA, kSideB, kEpoch, kCapacity);
    const ChannelView view = OpenChannel(mapping_.bytes(), kSideA, kSideB).value();
    producer_.emplace(view.outbound);
    consumer_.emplace(view.inbound);
  }
  ~CPeerTest() override {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

  hv_channel_header& header() { return *mapping_.As<hv_channel_header>(); }

  void StartPeer() {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fd_.get(), kChannelFd);
    char name[] = "echo_peer";
    char* const arguments[] = {name, nullptr};
    ASSERT_EQ(posix_spawn(&pid_, kProgram, &actions, nullptr, arguments, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
  }
  // Waits for the peer's end: its exit status.
  int AwaitEnd() {
    int status = -1;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  // False when the peer has ended, so that a broken one is a failure and not a wait for ever.
  bool PeerLives() {
    if (pid_ > 0 && waitpid(pid_, nullptr, WNOHANG) == 0) return true;
    pid_ = -1;
    return false;
  }

  bool Send(uint16_t kind, uint32_t tag, uint64_t address) {
    while (!producer_->HasRoom(1)) {
      if (!PeerLives()) return false;
      sched_yield();
    }
    hv_cell cell{};
    cell.kind = kind;
    cell.tag = tag;
    const hv_access access{.address = address, .width = 8};
    std::memcpy(cell.payload, &access, sizeof(access));
    producer_->Push(cell);
    return true;
  }
  std::optional<hv_cell> Receive() {
    hv_cell cell;
    PeekResult result;
    while ((result = consumer_->Peek(cell)) == PeekResult::kEmpty) {
      if (!PeerLives()) return std::nullopt;
      sched_yield();
    }
    if (result != PeekResult::kMessage) return std::nullopt;
    consumer_->Advance();
    DirectStores stores;
    consumer_->Acknowledge(stores);
    return cell;
  }

  UniqueFd fd_;
  Mapping mapping_;
  std::optional<Producer> producer_;
  std::optional<Consumer> consumer_;
  pid_t pid_ = -1;
};

TEST_F(CPeerTest, AnswersEveryMessageOverManyLapsOfTheRings) {
  StartPeer();
  constexpr uint32_t kMessages = 10 * kCapacity;
  for (uint32_t tag = 1; tag <= kMessages; ++tag) {
    const uint64_t address = tag * 0x9e3779b97f4a7c15;
    ASSERT_TRUE(Send(HV_KIND_READ, tag, address));
    const auto answer = Receive();
    ASSERT_TRUE(answer.has_value());
    hv_access_done done;
    std::memcpy(&done, answer->payload, sizeof(done));
    EXPECT_EQ(answer->kind, HV_KIND_READ_DONE);
    EXPECT_EQ(answer->tag, tag);
    EXPECT_EQ(done.data, ~address);
  }
  ASSERT_TRUE(Send(HV_KIND_POWER_BUTTON, 0, 0));
  EXPECT_EQ(AwaitEnd(), 0);
}

TEST_F(CPeerTest, FillsARingNoFurtherThanItsEnd) {
  StartPeer();
  // As many answers as the ring holds, and as many requests again wait while nobody takes any.
  for (uint32_t tag = 1; tag <= 2 * kCapacity; ++tag) ASSERT_TRUE(Send(HV_KIND_READ, tag, tag));
  for (uint32_t tag = 1; tag <= 2 * kCapacity; ++tag) {
    const auto answer = Receive();
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->tag, tag);
  }
}

TEST_F(CPeerTest, RefusesAChannelOfAnotherMajor) {
  header().header.major = HV_ABI_MAJOR + 1;
  StartPeer();
  EXPECT_EQ(AwaitEnd(), 3);
}

TEST_F(CPeerTest, RefusesACapacityThatTheSegmentCannotHold) {
  header().capacity = 2 * kCapacity;
  StartPeer();
  EXPECT_EQ(AwaitEnd(), 4);
}

}  // namespace
}  // namespace hv::ring
