#include "hv_kernel/ring_line.h"

#include <thread>

#include "abi/message.h"
#include "gtest/gtest.h"
#include "ring/test_channel.h"

namespace hv {
namespace {

using service::Outgoing;
using service::Payload;

constexpr uint32_t kCapacity = 16;
constexpr uint32_t kEpoch = 5;

Payload PayloadOf(uint64_t data) {
  return Outgoing::Of(0, 0, 0, hv_access_done{.data = data}).payload;
}

// The line of a vCPU thread to serial_svc, whose end the test holds.
class RingLineTest : public testing::Test {
 protected:
  // Tags count from 1, so an answer may be there before it is asked for.
  void Answer(uint32_t tag, uint64_t data, uint16_t kind = HV_KIND_READ_DONE) {
    service_.Push(CellOf(tag, data, kind));
  }
  static hv_cell CellOf(uint32_t tag, uint64_t data, uint16_t kind) {
    hv_cell cell{};
    cell.kind = kind;
    cell.tag = tag;
    const Payload payload = PayloadOf(data);
    std::memcpy(cell.payload, payload.data(), payload.size());
    return cell;
  }
  std::optional<uint64_t> Read() {
    const auto answer = line_.Call(HV_KIND_READ, HV_KIND_READ_DONE, PayloadOf(0));
    if (!answer) return std::nullopt;
    hv_access_done done;
    std::memcpy(&done, answer->data(), sizeof(done));
    return done.data;
  }
  uint64_t refused(hv_refusal why) const { return statistics_.refused[why].value(); }
  uint64_t refused() const {
    uint64_t sum = 0;
    for (const Counter& counter : statistics_.refused) sum += counter.value();
    return sum;
  }
  void Stop() { control_.Stop({.cause = StopCause::kRequested}); }

  ring::TestChannel channel_{kCapacity, kEpoch};
  ring::Producer service_{channel_.b.outbound};
  ring::Consumer requests_{channel_.b.inbound};
  hv_wake own_wake_{};
  hv_wake service_wake_{};
  RunControl control_{1, [] {}};
  Statistics statistics_;
  RingLine line_{{.view = channel_.a,
                  .peer_role = HV_ROLE_SERIAL,
                  .peer = ring::Waker(&service_wake_),
                  .self = ring::Sleeper(&own_wake_)},
                 control_,
                 statistics_};
};

TEST_F(RingLineTest, AsksAndTakesTheAnswerOfItsTag) {
  Answer(1, 0x41);
  EXPECT_EQ(Read(), 0x41u);
  hv_cell request;
  ASSERT_EQ(requests_.Peek(request), ring::PeekResult::kMessage);
  EXPECT_EQ(request.kind, HV_KIND_READ);
  EXPECT_EQ(request.tag, 1u);
  EXPECT_EQ(refused(), 0u);
}

TEST_F(RingLineTest, EachRequestHasATagOfItsOwn) {
  Answer(1, 10);
  Answer(2, 20);
  EXPECT_EQ(Read(), 10u);
  EXPECT_EQ(Read(), 20u);
}

TEST_F(RingLineTest, AnAnswerWithAnotherTagIsCountedAndNotObeyed) {
  Answer(7, 0xbad);
  Answer(1, 0x41);
  EXPECT_EQ(Read(), 0x41u);
  EXPECT_EQ(refused(), 1u);
}

TEST_F(RingLineTest, AnAnswerOfAnotherKindIsCountedAndNotObeyed) {
  Answer(1, 0xbad, HV_KIND_WRITE_DONE);
  Answer(1, 0xbad, HV_KIND_COUNT);
  Answer(1, 0x41);
  EXPECT_EQ(Read(), 0x41u);
  EXPECT_EQ(refused(HV_REFUSAL_ANSWER), 1u);
  EXPECT_EQ(refused(HV_REFUSAL_KIND), 1u);
  EXPECT_EQ(refused(), 2u);
}

TEST_F(RingLineTest, AnAnswerOfAnotherEpochIsCountedAndNotObeyed) {
  ring::RingView other_epoch = channel_.b.outbound;
  other_epoch.epoch = kEpoch - 1;
  ring::Producer late(other_epoch);
  late.Push(CellOf(1, 0xbad, HV_KIND_READ_DONE));
  ring::Producer successor(channel_.b.outbound, late.position());
  successor.Push(CellOf(1, 0x41, HV_KIND_READ_DONE));
  EXPECT_EQ(Read(), 0x41u);
  EXPECT_EQ(refused(HV_REFUSAL_EPOCH), 1u);
}

TEST_F(RingLineTest, AStampFromNowhereIsCountedAndWaitedOut) {
  channel_.b.outbound.Slot(0).stamp = 77;
  std::thread service([&] {
    while (refused(HV_REFUSAL_STAMP) == 0) std::this_thread::yield();
    Answer(1, 0x41);
  });
  EXPECT_EQ(Read(), 0x41u);
  service.join();
  EXPECT_EQ(refused(), 1u);
}

TEST_F(RingLineTest, WhatTheServicesRoleMayNotSayIsNoAnswer) {
  Answer(1, 0xbad, HV_KIND_MSR_DONE);  // vcpu_svc's to say
  Stop();
  EXPECT_FALSE(line_.Call(HV_KIND_MSR_READ, HV_KIND_MSR_DONE, PayloadOf(0)));
  EXPECT_EQ(refused(), 1u);
}

TEST_F(RingLineTest, AnswersNobodyAskedForDoNotBecomeLaterAnswers) {
  Answer(1, 0x41);
  Answer(1, 0xbad);  // a second answer to the same request
  EXPECT_EQ(Read(), 0x41u);
  Answer(2, 0x42);
  EXPECT_EQ(Read(), 0x42u);
  EXPECT_EQ(refused(), 1u);
}

TEST_F(RingLineTest, AStampFromNowhereIsWaitedOut) {
  channel_.b.outbound.Slot(0).stamp = 77;
  Stop();
  EXPECT_FALSE(Read());
}

TEST_F(RingLineTest, APostedMessageHasNoTagAndIsNotAwaited) {
  EXPECT_TRUE(line_.Post(HV_KIND_WRITE_POSTED, PayloadOf(3)));
  hv_cell message;
  ASSERT_EQ(requests_.Peek(message), ring::PeekResult::kMessage);
  EXPECT_EQ(message.kind, HV_KIND_WRITE_POSTED);
  EXPECT_EQ(message.tag, 0u);
}

TEST_F(RingLineTest, PostingWaitsForRoom) {
  for (uint32_t i = 0; i < kCapacity; ++i) line_.Post(HV_KIND_WRITE_POSTED, PayloadOf(i));
  std::thread service([this] {
    for (int i = 0; i < 4; ++i) requests_.Advance();
    ring::DirectStores stores;
    requests_.Acknowledge(stores);
  });
  for (uint64_t i = 0; i < 4; ++i) {
    EXPECT_TRUE(line_.Post(HV_KIND_WRITE_POSTED, PayloadOf(kCapacity + i)));
  }
  service.join();
  hv_cell message;
  ASSERT_EQ(requests_.Peek(message), ring::PeekResult::kMessage);
  EXPECT_EQ(message.payload[0], 4) << "nothing was overwritten";
}

TEST_F(RingLineTest, AFullRingDoesNotHoldAMachineThatStops) {
  for (uint32_t i = 0; i < kCapacity; ++i) line_.Post(HV_KIND_WRITE_POSTED, PayloadOf(i));
  Stop();
  EXPECT_FALSE(line_.Post(HV_KIND_WRITE_POSTED, PayloadOf(0)));
}

TEST_F(RingLineTest, AServiceThatNeverAnswersDoesNotHoldAMachineThatStops) {
  std::thread stopper([this] {
    while (!requests_.Ready()) std::this_thread::yield();
    Stop();
  });
  EXPECT_FALSE(Read());
  stopper.join();
}

TEST_F(RingLineTest, NorDoesOneThatNeverStopsTalking) {
  for (uint32_t i = 0; i < kCapacity; ++i) Answer(77, 0xbad);
  Stop();
  EXPECT_FALSE(Read());
  EXPECT_LT(refused(), kCapacity) << "it did not listen to all there was";
}

TEST_F(RingLineTest, WakesAServiceThatSleepsAndNoOther) {
  Answer(1, 0);
  Read();
  EXPECT_EQ(service_wake_.word, 0u);
  service_wake_.sleeping = 1;
  Answer(2, 0);
  Read();
  EXPECT_EQ(service_wake_.word, 1u);
}

}  // namespace
}  // namespace hv
