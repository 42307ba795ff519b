#include "abi/version.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "ring/test_channel.h"

namespace hv::ring {
namespace {

constexpr uint32_t kCapacity = 16;

class RingTest : public testing::Test {
 protected:
  TestChannel channel_{kCapacity};
  Producer producer_{channel_.a.outbound};
  Consumer consumer_{channel_.b.inbound};
  DirectStores stores_;
  hv_cell copy_{};
};

TEST_F(RingTest, AnEmptyRingHasNothing) {
  EXPECT_FALSE(consumer_.Ready());
  EXPECT_EQ(consumer_.Peek(copy_), PeekResult::kEmpty);
}

TEST_F(RingTest, MessagesArriveInOrderAndWhole) {
  for (uint64_t i = 0; i < 5; ++i) producer_.Push(Numbered(i));
  for (uint64_t i = 0; i < 5; ++i) {
    ASSERT_EQ(consumer_.Peek(copy_), PeekResult::kMessage);
    EXPECT_TRUE(IsNumbered(copy_, i));
    consumer_.Advance();
  }
  EXPECT_EQ(consumer_.Peek(copy_), PeekResult::kEmpty);
}

TEST_F(RingTest, TheTwoDirectionsAreApart) {
  producer_.Push(Numbered(1));
  Consumer backwards(channel_.a.inbound);
  EXPECT_FALSE(backwards.Ready());
}

TEST_F(RingTest, PeekingDoesNotTake) {
  producer_.Push(Numbered(7));
  EXPECT_EQ(consumer_.Peek(copy_), PeekResult::kMessage);
  EXPECT_EQ(consumer_.Peek(copy_), PeekResult::kMessage);
  EXPECT_EQ(consumer_.position(), 0u);
}

TEST_F(RingTest, AFullRingHasNoRoomUntilTheConsumerAcknowledges) {
  for (uint64_t i = 0; i < kCapacity; ++i) {
    ASSERT_TRUE(producer_.HasRoom(1));
    producer_.Push(Numbered(i));
  }
  EXPECT_FALSE(producer_.HasRoom(1));
  ASSERT_EQ(consumer_.Peek(copy_), PeekResult::kMessage);
  consumer_.Advance();
  EXPECT_FALSE(producer_.HasRoom(1)) << "taken but not acknowledged";
  consumer_.Acknowledge(stores_);
  EXPECT_TRUE(producer_.HasRoom(1));
  EXPECT_FALSE(producer_.HasRoom(2));
}

TEST_F(RingTest, MessagesSurviveManyLaps) {
  for (uint64_t i = 0; i < 10 * kCapacity; ++i) {
    ASSERT_TRUE(producer_.HasRoom(1));
    producer_.Push(Numbered(i));
    ASSERT_EQ(consumer_.Peek(copy_), PeekResult::kMessage);
    ASSERT_TRUE(IsNumbered(copy_, i));
    consumer_.Advance();
    if (consumer_.AcknowledgeDue()) consumer_.Acknowledge(stores_);
  }
}

TEST_F(RingTest, PublishingAgainChangesNothing) {
  const hv_cell cell = producer_.Stamp(producer_.position(), Numbered(3));
  producer_.Publish(cell, stores_);
  ASSERT_EQ(consumer_.Peek(copy_), PeekResult::kMessage);
  consumer_.Advance();
  producer_.Publish(cell, stores_);
  EXPECT_EQ(consumer_.Peek(copy_), PeekResult::kEmpty);
  EXPECT_EQ(producer_.position(), 1u);
}

TEST_F(RingTest, ASuccessorGoesOnAtTheCommittedPositions) {
  for (uint64_t i = 0; i < 20; ++i) {
    ASSERT_TRUE(producer_.HasRoom(1));
    producer_.Push(Numbered(i));
    ASSERT_EQ(consumer_.Peek(copy_), PeekResult::kMessage);
    consumer_.Advance();
    consumer_.Acknowledge(stores_);
  }
  Producer next_producer(channel_.a.outbound, producer_.position());
  Consumer next_consumer(channel_.b.inbound, consumer_.position());
  for (uint64_t i = 0; i < kCapacity; ++i) {
    ASSERT_TRUE(next_producer.HasRoom(1));
    next_producer.Push(Numbered(100 + i));
  }
  EXPECT_FALSE(next_producer.HasRoom(1));
  ASSERT_EQ(next_consumer.Peek(copy_), PeekResult::kMessage);
  EXPECT_TRUE(IsNumbered(copy_, 100));
}

TEST_F(RingTest, TheProducersPositionIsRecoveredFromTheStamps) {
  EXPECT_EQ(Producer::RecoverPosition(channel_.a.outbound), 0u);
  for (uint64_t i = 0; i < 37; ++i) {
    ASSERT_TRUE(producer_.HasRoom(1));
    producer_.Push(Numbered(i));
    consumer_.Advance();
    consumer_.Acknowledge(stores_);
    EXPECT_EQ(Producer::RecoverPosition(channel_.a.outbound), i + 1);
  }
}

TEST_F(RingTest, AnotherEpochIsNotAMessage) {
  hv_cell cell = producer_.Stamp(0, Numbered(0));
  cell.epoch = 2;
  producer_.Publish(cell, stores_);
  EXPECT_EQ(consumer_.Peek(copy_), PeekResult::kBadEpoch);
}

TEST_F(RingTest, AStampFromNowhereIsNotAMessage) {
  hv_cell cell = Numbered(0);
  cell.stamp = 3;
  channel_.a.outbound.Slot(0) = cell;
  EXPECT_EQ(consumer_.Peek(copy_), PeekResult::kBadStamp);
  EXPECT_FALSE(consumer_.Ready());
}

TEST_F(RingTest, AnAcknowledgementOfWhatWasNeverSentIsNotBelieved) {
  for (uint64_t i = 0; i < kCapacity; ++i) {
    ASSERT_TRUE(producer_.HasRoom(1));
    producer_.Push(Numbered(i));
  }
  channel_.a.outbound.control->consumed = 1000;
  EXPECT_FALSE(producer_.HasRoom(1));
}

TEST(OpenChannelTest, RefusesAnotherMajorNamingBoth) {
  TestChannel channel(kCapacity);
  reinterpret_cast<hv_channel_header*>(channel.bytes().data())->header.major = 77;
  const auto status = OpenChannel(channel.bytes(), kSideA, kSideB).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(status.ToString().find("77"), std::string::npos);
  EXPECT_NE(status.ToString().find(absl::StrCat("major ", HV_ABI_MAJOR)), std::string::npos);
}

TEST(OpenChannelTest, RefusesACapacityTheSegmentCannotHold) {
  TestChannel channel(kCapacity);
  reinterpret_cast<hv_channel_header*>(channel.bytes().data())->capacity = 1024;
  EXPECT_FALSE(OpenChannel(channel.bytes(), kSideA, kSideB).ok());
}

TEST(OpenChannelTest, RefusesACapacityThatIsNoPowerOfTwo) {
  TestChannel channel(kCapacity);
  reinterpret_cast<hv_channel_header*>(channel.bytes().data())->capacity = 15;
  EXPECT_FALSE(OpenChannel(channel.bytes(), kSideA, kSideB).ok());
}

TEST(OpenChannelTest, RefusesAChannelOfOthers) {
  TestChannel channel(kCapacity);
  EXPECT_FALSE(OpenChannel(channel.bytes(), kSideA, HV_ENDPOINT(HV_ROLE_MMU, 0)).ok());
}

TEST(OpenChannelTest, RefusesASegmentOfAnotherKind) {
  TestChannel channel(kCapacity);
  reinterpret_cast<hv_channel_header*>(channel.bytes().data())->header.segment = HV_SEGMENT_WAKE;
  EXPECT_FALSE(OpenChannel(channel.bytes(), kSideA, kSideB).ok());
}

TEST(MappingTest, RefusesAFileShorterThanPromised) {
  UniqueFd fd = CreateSegment("short", 4096).value();
  EXPECT_FALSE(Mapping::Map(fd.get(), 8192, true).ok());
}

}  // namespace
}  // namespace hv::ring
