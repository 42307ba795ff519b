// A peer that scribbles at random over the whole channel must never crash or hang the other side,
// or make it read outside its segment (the checks of the header keep every view inside).
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>

#include "gtest/gtest.h"
#include "ring/test_channel.h"

namespace hv::ring {
namespace {

constexpr uint32_t kCapacity = 64;

// The hostile process: writes words of every sort, for ever.
[[noreturn]] void Scribble(std::span<std::byte> bytes, uint64_t seed) {
  std::mt19937_64 random(seed);
  auto* words = reinterpret_cast<uint64_t*>(bytes.data());
  const size_t count = bytes.size() / sizeof(uint64_t);
  for (;;) {
    const size_t where = random() % count;
    uint64_t value = random();
    switch (random() % 4) {
      case 0: value %= 4 * kCapacity; break;  // looks like a stamp or a position
      case 1: value = UINT64_MAX - value % 8; break;
      case 2: value = 0; break;
      default: break;
    }
    std::atomic_ref<uint64_t>(words[where]).store(value, std::memory_order_relaxed);
  }
}

TEST(HostilePeerTest, ScribblingNeitherCrashesNorHangsTheOtherSide) {
  TestChannel channel(kCapacity);
  const pid_t peer = fork();
  ASSERT_GE(peer, 0);
  if (peer == 0) Scribble(channel.bytes(), 42);

  Producer producer(channel.a.outbound);
  Consumer consumer(channel.a.inbound);
  DirectStores stores;
  uint64_t refused = 0;
  for (uint64_t turn = 0; turn < 3'000'000; ++turn) {
    if (producer.HasRoom(1)) producer.Push(Numbered(turn));
    ASSERT_LE(producer.position(), turn + 1);
    hv_cell copy;
    switch (consumer.Peek(copy)) {
      case PeekResult::kMessage: consumer.Advance(); break;
      case PeekResult::kBadEpoch:
        ++refused;
        consumer.Advance();
        break;
      case PeekResult::kBadStamp: ++refused; break;
      case PeekResult::kEmpty: break;
    }
    if (consumer.AcknowledgeDue()) consumer.Acknowledge(stores);
    if (turn % 65536 == 0) (void)Producer::RecoverPosition(channel.a.outbound);
  }
  EXPECT_GT(refused, 0u);
  kill(peer, SIGKILL);
  int status = 0;
  waitpid(peer, &status, 0);
}

TEST(HostilePeerTest, AHeaderScribbledWhileItIsOpenedIsRefusedOrWithinBounds) {
  std::mt19937_64 random(7);
  TestChannel channel(kCapacity);
  for (int round = 0; round < 20000; ++round) {
    hv_channel_header saved;
    std::memcpy(&saved, channel.bytes().data(), sizeof(saved));
    auto* words = reinterpret_cast<uint32_t*>(channel.bytes().data());
    words[random() % 8] = static_cast<uint32_t>(random() % 3 == 0 ? random() : random() % 128);
    const auto view = OpenChannel(channel.bytes(), kSideA, kSideB);
    if (view.ok()) {
      const auto* end =
          reinterpret_cast<const hv_cell*>(channel.bytes().data() + channel.bytes().size());
      EXPECT_LE(view->inbound.cells + view->inbound.capacity, end);
      EXPECT_LE(view->outbound.cells + view->outbound.capacity, end);
    }
    std::memcpy(channel.bytes().data(), &saved, sizeof(saved));
  }
}

}  // namespace
}  // namespace hv::ring
