#include "hvd/streams/console_pump.h"

#include <gtest/gtest.h>

#include <thread>

#include "hvd/plan/topology.h"
#include "hvd/streams/test_peer.h"

namespace hv::hvd {
namespace {

class ConsolePumpTest : public testing::Test {
 protected:
  void AwaitOutput(uint64_t bytes) {
    while (hub_.OutputBytes() < bytes) std::this_thread::yield();
  }
  std::string AwaitInput(size_t bytes) {
    std::string input;
    while (input.size() < bytes) input += serial_.Receive().input;
    return input;
  }
  void WakeAndOutput(const std::string& text) {
    serial_.Output(text);
    waker_.Wake();
  }

  SegmentSet set_ = SegmentSet::Make(PlanTopology(1), 16 << 20).value();
  HostPort port_ = HostPort::Open(set_).value();
  ring::Waker waker_ = port_.self_waker();
  TestPeer serial_{set_, HV_ENDPOINT(HV_ROLE_SERIAL, 0)};
  TestPeer power_{set_, HV_ENDPOINT(HV_ROLE_POWER, 0)};
  ConsoleHub hub_{ConsoleMemory::Make().value()};
};

TEST_F(ConsolePumpTest, WhatComesOneByOneAllArrives) {
  ConsolePump pump(std::move(port_), hub_);
  constexpr uint64_t kBytes = 20'000;
  for (uint64_t i = 0; i < kBytes; ++i) WakeAndOutput("x");
  AwaitOutput(kBytes);
}

TEST_F(ConsolePumpTest, TypingAndTheButtonAreServedWhileOutputIsGathered) {
  ConsolePump pump(std::move(port_), hub_);
  for (int i = 0; i < 50; ++i) {
    const uint64_t before = hub_.OutputBytes();
    WakeAndOutput("x");
    AwaitOutput(before + 1);  // it gathers now
    hub_.Type("k");
    EXPECT_EQ(AwaitInput(1), "k");
    serial_.Credit(1);
    pump.PressPowerButton();
    while (power_.Receive().buttons == 0) std::this_thread::yield();
  }
}

TEST_F(ConsolePumpTest, OutputThatIsGatheredWhenItEndsIsTaken) {
  {
    ConsolePump pump(std::move(port_), hub_);
    WakeAndOutput("a");
    AwaitOutput(1);
    WakeAndOutput("last words");
  }
  EXPECT_EQ(hub_.OutputBytes(), 11u);
}

}  // namespace
}  // namespace hv::hvd
