#include "hvd/streams/console_hub.h"

#include <gtest/gtest.h>

namespace hv::hvd {
namespace {

constexpr size_t kSmall = 16;
constexpr uint64_t kEnd = UINT64_MAX;

class ConsoleHubTest : public testing::Test {
 protected:
  // What a reader gets now, and where it began.
  std::string Read(ConsoleHub::ReaderId id, size_t most = 1000) {
    std::string output;
    result_ = hub_.Read(id, most, offset_, output);
    return result_ == ConsoleHub::ReadResult::kData ? output : "";
  }
  size_t Room() { return hub_.Room(now_); }

  ConsoleHub hub_{ConsoleMemory::Make(kSmall).value()};
  ConsoleHub::Clock::time_point now_ = ConsoleHub::Clock::now();
  ConsoleHub::ReadResult result_{};
  uint64_t offset_ = 0;
};

TEST_F(ConsoleHubTest, ReaderGetsWhatIsKeptAndThenWhatComes) {
  hub_.Append("before");
  const auto reader = hub_.Attach(0, [] {});
  EXPECT_EQ(Read(reader), "before");
  EXPECT_EQ(Read(reader), "");
  EXPECT_EQ(result_, ConsoleHub::ReadResult::kNothingYet);
  hub_.Append("after");
  EXPECT_EQ(Read(reader), "after");
  EXPECT_EQ(offset_, 6u);
}

TEST_F(ConsoleHubTest, ReaderFromTheEndGetsOnlyWhatComes) {
  hub_.Append("before");
  const auto reader = hub_.Attach(kEnd, [] {});
  EXPECT_EQ(Read(reader), "");
  hub_.Append("after");
  EXPECT_EQ(Read(reader), "after");
}

TEST_F(ConsoleHubTest, ReaderThatComesBackGoesOnWhereItWas) {
  hub_.Append("abcdef");
  const auto reader = hub_.Attach(4, [] {});
  EXPECT_EQ(Read(reader), "ef");
  EXPECT_EQ(offset_, 4u);
}

TEST_F(ConsoleHubTest, OldestBytesAreForgottenAndOffsetsSaySo) {
  hub_.Append("0123456789");
  hub_.Append("abcdefghij");
  const auto reader = hub_.Attach(0, [] {});
  EXPECT_EQ(Read(reader), "456789abcdefghij");
  EXPECT_EQ(offset_, 4u);
}

TEST_F(ConsoleHubTest, ReadyIsCalledWhenOutputIsAnnounced) {
  int calls = 0;
  const auto reader = hub_.Attach(0, [&] { ++calls; });
  hub_.Append("x");
  EXPECT_EQ(calls, 0) << "more may come with it";
  hub_.Append("y");
  hub_.Announce();
  EXPECT_EQ(calls, 1);
  hub_.Detach(reader);
  hub_.Append("z");
  hub_.Announce();
  EXPECT_EQ(calls, 1);
}

TEST_F(ConsoleHubTest, AReaderThatLagsHoldsTheTransmitter) {
  const auto slow = hub_.Attach(0, [] {});
  const auto fast = hub_.Attach(0, [] {});
  EXPECT_EQ(Room(), kSmall);
  hub_.Append("0123456789abcdef");
  EXPECT_EQ(Read(fast).size(), kSmall);
  EXPECT_EQ(Room(), 0u);
  EXPECT_EQ(Read(slow, 4), "0123");
  EXPECT_EQ(Room(), 4u);
  hub_.Detach(slow);
  EXPECT_EQ(Room(), kSmall);
}

TEST_F(ConsoleHubTest, NobodyAttachedNeverHoldsTheTransmitter) {
  hub_.Append("0123456789abcdef");
  EXPECT_EQ(Room(), kSmall);
}

TEST_F(ConsoleHubTest, PumpIsWokenWhenALaggingReaderMoves) {
  int wakes = 0;
  hub_.SetPump([&] { ++wakes; });
  const auto slow = hub_.Attach(0, [] {});
  hub_.Append("0123456789abcdef");
  Read(slow, 1);
  EXPECT_EQ(wakes, 0) << "nobody waited for room";
  hub_.Append("g");
  ASSERT_EQ(Room(), 0u);
  Read(slow, 1);
  EXPECT_EQ(wakes, 1);
}

TEST_F(ConsoleHubTest, AReaderThatTakesNothingIsCutOffAfterAWhile) {
  int calls = 0;
  const auto stuck = hub_.Attach(0, [&] { ++calls; });
  hub_.Append("0123456789abcdef");
  EXPECT_EQ(Room(), 0u);
  now_ += ConsoleHub::kPatience + std::chrono::seconds(1);
  EXPECT_EQ(Room(), kSmall);
  EXPECT_EQ(calls, 1) << "told of its end";
  Read(stuck);
  EXPECT_EQ(result_, ConsoleHub::ReadResult::kCutOff);
}

TEST_F(ConsoleHubTest, AnIdleReaderThatHoldsNobodyIsNotCutOff) {
  const auto idle = hub_.Attach(0, [] {});
  hub_.Append("0123");
  now_ += ConsoleHub::kPatience * 10;
  EXPECT_EQ(Room(), kSmall - 4);
  EXPECT_EQ(Read(idle), "0123");
}

TEST_F(ConsoleHubTest, InputIsGivenOutOnceAndInOrder) {
  int wakes = 0;
  hub_.SetPump([&] { ++wakes; });
  EXPECT_EQ(hub_.Type("one "), 4u);
  EXPECT_EQ(hub_.Type("two"), 3u);
  EXPECT_EQ(wakes, 2);
  EXPECT_EQ(hub_.TakeInput(5), "one t");
  EXPECT_TRUE(hub_.HasInput());
  EXPECT_EQ(hub_.TakeInput(5), "wo");
  EXPECT_FALSE(hub_.HasInput());
}

TEST_F(ConsoleHubTest, InputNobodyTakesIsBoundedAndRoomIsAnnounced) {
  int calls = 0;
  hub_.Attach(0, [&] { ++calls; });
  EXPECT_EQ(hub_.Type(std::string(ConsoleHub::kInputBytes - 1, 'x')), ConsoleHub::kInputBytes - 1);
  EXPECT_EQ(hub_.Type("yz"), 1u);
  EXPECT_EQ(hub_.Type("z"), 0u);
  EXPECT_EQ(calls, 0);
  hub_.TakeInput(1);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(hub_.Type("z"), 1u);
}

TEST_F(ConsoleHubTest, OutputIsCountedFromTheBeginning) {
  hub_.Append("0123456789");
  hub_.Append("0123456789");
  EXPECT_EQ(hub_.OutputBytes(), 20u);
}

TEST_F(ConsoleHubTest, CloseComesAfterTheLastByte) {
  int calls = 0;
  const auto reader = hub_.Attach(0, [&] { ++calls; });
  hub_.Append("bye");
  hub_.Close();
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(Read(reader), "bye");
  EXPECT_EQ(Read(reader), "");
  EXPECT_EQ(result_, ConsoleHub::ReadResult::kClosed);
}

}  // namespace
}  // namespace hv::hvd
