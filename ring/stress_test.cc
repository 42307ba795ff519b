// Two processes, one ring, 100 million messages: nothing lost, reordered or torn. Fewer under the
// sanitizers, which slow each access down by an order of magnitude.
#include <sys/wait.h>
#include <unistd.h>

#include "gtest/gtest.h"
#include "ring/test_channel.h"

namespace hv::ring {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kMessages = 2'000'000;
#else
constexpr uint64_t kMessages = 100'000'000;
#endif
constexpr uint32_t kCapacity = 1024;

// Yields now and then, so that both sides make progress on one core too.
void Relax(uint64_t& idle) {
  if (++idle % 256 == 0) sched_yield();
}

void Produce(const RingView& ring) {
  Producer producer(ring);
  uint64_t idle = 0;
  for (uint64_t i = 0; i < kMessages; ++i) {
    while (!producer.HasRoom(1)) Relax(idle);
    producer.Push(Numbered(i));
  }
}

TEST(StressTest, NothingIsLostReorderedOrTornBetweenProcesses) {
  TestChannel channel(kCapacity);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    Produce(channel.a.outbound);
    _exit(0);
  }
  Consumer consumer(channel.b.inbound);
  DirectStores stores;
  hv_cell copy;
  uint64_t idle = 0;
  for (uint64_t i = 0; i < kMessages; ++i) {
    PeekResult result;
    while ((result = consumer.Peek(copy)) == PeekResult::kEmpty) {
      consumer.Acknowledge(stores);
      Relax(idle);
    }
    ASSERT_EQ(result, PeekResult::kMessage) << "at message " << i;
    ASSERT_TRUE(IsNumbered(copy, i)) << "at message " << i;
    consumer.Advance();
    if (consumer.AcknowledgeDue()) consumer.Acknowledge(stores);
  }
  int status = 1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(consumer.Peek(copy), PeekResult::kEmpty);
}

}  // namespace
}  // namespace hv::ring
