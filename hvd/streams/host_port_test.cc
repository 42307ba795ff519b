#include "hvd/streams/host_port.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "abi/endpoint.h"
#include "abi/message.h"
#include "hvd/plan/topology.h"
#include "hvd/streams/test_peer.h"

namespace hv::hvd {
namespace {

constexpr uint32_t kSerial = HV_ENDPOINT(HV_ROLE_SERIAL, 0);
constexpr uint32_t kPower = HV_ENDPOINT(HV_ROLE_POWER, 0);

class HostPortTest : public testing::Test {
 protected:
  std::string Shown(ConsoleHub& hub) {
    const auto reader = hub.Attach(0, [] {});
    std::string all, part;
    uint64_t offset;
    while (hub.Read(reader, 4096, offset, part) == ConsoleHub::ReadResult::kData) all += part;
    hub.Detach(reader);
    return all;
  }

  SegmentSet set_ = SegmentSet::Make(PlanTopology(1), 16 << 20).value();
  HostPort port_ = HostPort::Open(set_).value();
  TestPeer serial_{set_, kSerial};
  TestPeer power_{set_, kPower};
  ConsoleHub hub_{ConsoleMemory::Make().value()};
};

TEST_F(HostPortTest, OutputReachesTheHubAndItsCreditGoesBack) {
  serial_.Output("hello ");
  serial_.Output("world");
  EXPECT_TRUE(port_.OutputWaiting());
  EXPECT_TRUE(port_.Turn(hub_));
  EXPECT_EQ(Shown(hub_), "hello world");
  EXPECT_EQ(serial_.Receive().credit, 11u);
  EXPECT_FALSE(port_.Turn(hub_)) << "nothing left to do";
}

TEST_F(HostPortTest, ReadersAreToldOnceOfWhatCameTogether) {
  int told = 0;
  const auto reader = hub_.Attach(0, [&] { ++told; });
  for (int i = 0; i < 100; ++i) serial_.Output("x");
  port_.Turn(hub_);
  EXPECT_EQ(told, 1);
  std::string read;
  uint64_t offset;
  ASSERT_EQ(hub_.Read(reader, 1000, offset, read), ConsoleHub::ReadResult::kData);
  EXPECT_EQ(read.size(), 100u);
}

TEST_F(HostPortTest, WithoutRoomOutputStaysInTheRing) {
  ConsoleHub small(ConsoleMemory::Make(HV_BYTES_MAX).value());
  const auto reader = small.Attach(0, [] {});
  const std::string full(HV_BYTES_MAX, 'a');
  serial_.Output(full);
  serial_.Output("b");
  port_.Turn(small);
  EXPECT_TRUE(port_.OutputWaiting());
  EXPECT_EQ(serial_.Receive().credit, HV_BYTES_MAX);
  std::string read;
  uint64_t offset;
  ASSERT_EQ(small.Read(reader, 1000, offset, read), ConsoleHub::ReadResult::kData);
  port_.Turn(small);
  ASSERT_EQ(small.Read(reader, 1000, offset, read), ConsoleHub::ReadResult::kData);
  EXPECT_EQ(read, "b");
}

TEST_F(HostPortTest, InputStopsWhenCreditIsUsedUp) {
  hub_.Type(std::string(100, 'k'));
  port_.Turn(hub_);
  EXPECT_EQ(serial_.Receive().input.size(), HostPort::kFirstInputCredit);
  serial_.Credit(10);
  port_.Turn(hub_);
  EXPECT_EQ(serial_.Receive().input.size(), 10u);
  serial_.Credit(1000);
  port_.Turn(hub_);
  EXPECT_EQ(serial_.Receive().input.size(), 26u);
}

TEST_F(HostPortTest, PowerButtonReachesPowerService) {
  EXPECT_TRUE(port_.PressPowerButton());
  EXPECT_EQ(power_.Receive().buttons, 1);
}

TEST_F(HostPortTest, PressingForEverFillsTheRingAndSaysSo) {
  int pressed = 0;
  while (port_.PressPowerButton()) ++pressed;
  EXPECT_EQ(power_.Receive().buttons, pressed);
  EXPECT_TRUE(port_.PressPowerButton());
}

TEST_F(HostPortTest, MalformedMessagesAreCountedAndSkipped) {
  serial_.Send(HV_KIND_CONSOLE_OUTPUT, hv_bytes{.length = 0});
  serial_.Send(HV_KIND_CONSOLE_OUTPUT, hv_bytes{.length = HV_BYTES_MAX + 1});
  serial_.Send(HV_KIND_POWER_BUTTON, uint8_t{0});
  serial_.Output("still here");
  port_.Turn(hub_);
  EXPECT_EQ(port_.refused(HV_REFUSAL_CONTENT), 2u);
  EXPECT_EQ(port_.refused(HV_REFUSAL_KIND), 1u);
  EXPECT_EQ(Shown(hub_), "still here");
}

TEST_F(HostPortTest, CreditBeyondReasonIsBounded) {
  for (int i = 0; i < 100; ++i) serial_.Credit(UINT32_MAX);
  hub_.Type("x");
  port_.Turn(hub_);
  EXPECT_EQ(serial_.Receive().input, "x") << "no overflow took the credit away";
}

TEST_F(HostPortTest, AfterAKilledHvdEachByteIsTakenOnceAndItsCreditGrantedOnce) {
  uint64_t credit = 0;
  std::string sent;
  for (int life = 0; life < 100; ++life) {
    const std::string text = std::to_string(life) + " ";
    serial_.Output(text);
    sent += text;
    if (life % 3 != 0) port_.Turn(hub_);
    if (life % 2 != 0) credit += serial_.Receive().credit;
    port_ = HostPort::Reopen(set_, hub_.position()).value();
  }
  port_.Turn(hub_);
  credit += serial_.Receive().credit;
  EXPECT_EQ(Shown(hub_), sent);
  EXPECT_EQ(credit, sent.size());
}

TEST_F(HostPortTest, WhatAKilledHvdTookAndDidNotAcknowledgeIsNotTakenAgain) {
  serial_.Output("once");
  hub_.Append("once", {.taken = 1, .ungranted = 4, .input_credit = HostPort::kFirstInputCredit});
  port_ = HostPort::Reopen(set_, hub_.position()).value();
  serial_.Output(" more");
  port_.Turn(hub_);
  EXPECT_EQ(Shown(hub_), "once more");
  EXPECT_EQ(serial_.Receive().credit, 9u);
}

TEST_F(HostPortTest, WhatAKilledHvdHadSentWithoutSayingSoIsNotSentAgain) {
  serial_.Output("hello");
  hub_.Type("typed");
  port_.Turn(hub_);  // sends the credit, then the input
  const PortPosition before_credit{
      .taken = 1, .sent = 0, .ungranted = 5, .input_credit = HostPort::kFirstInputCredit};
  EXPECT_EQ(HostPort::Reopen(set_, before_credit).value().position().ungranted, 0u);
  const PortPosition before_input{
      .taken = 1, .sent = 1, .ungranted = 0, .input_credit = HostPort::kFirstInputCredit};
  const PortPosition after = HostPort::Reopen(set_, before_input).value().position();
  EXPECT_EQ(after.sent, 2u);
  EXPECT_EQ(after.input_credit, HostPort::kFirstInputCredit - 5);
}

TEST_F(HostPortTest, APressOfAKilledHvdStays) {
  EXPECT_TRUE(port_.PressPowerButton());
  port_ = HostPort::Reopen(set_, hub_.position()).value();
  EXPECT_TRUE(port_.PressPowerButton());
  EXPECT_EQ(power_.Receive().buttons, 2);
}

TEST_F(HostPortTest, AScribblingPeerCannotStopTheTurns) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    auto memory = serial_.memory();
    for (int i = 0; i < 4096; ++i) memory[random() % memory.size()] = std::byte(random());
    hub_.Type("x");
    port_.Turn(hub_);
    auto reopened = HostPort::Reopen(set_, hub_.position());
    if (reopened.ok()) port_ = *std::move(reopened);  // else it has scribbled over the header
  }
  SUCCEED();
}

}  // namespace
}  // namespace hv::hvd
