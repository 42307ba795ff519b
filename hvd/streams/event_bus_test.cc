#include "hvd/streams/event_bus.h"

#include <gtest/gtest.h>

namespace hv::hvd {
namespace {

hv::v1::Event Of(const std::string& machine, const std::string& message) {
  hv::v1::Event event;
  event.set_machine(machine);
  event.set_message(message);
  return event;
}

class EventBusTest : public testing::Test {
 protected:
  std::string Take(EventBus::WatcherId id) {
    hv::v1::Event event;
    result_ = bus_.Take(id, event);
    return event.message();
  }
  EventBus bus_;
  EventBus::TakeResult result_{};
};

TEST_F(EventBusTest, EveryWatcherGetsEveryEventInOrder) {
  const auto one = bus_.Watch("", nullptr, [] {});
  const auto two = bus_.Watch("", nullptr, [] {});
  bus_.Publish(Of("vm", "a"));
  bus_.Publish(Of("vm", "b"));
  for (const auto watcher : {one, two}) {
    EXPECT_EQ(Take(watcher), "a");
    EXPECT_EQ(Take(watcher), "b");
    Take(watcher);
    EXPECT_EQ(result_, EventBus::TakeResult::kNothingYet);
  }
}

TEST_F(EventBusTest, OtherMachinesAreLeftOut) {
  const auto watcher = bus_.Watch("mine", nullptr, [] {});
  bus_.Publish(Of("other", "a"));
  bus_.Publish(Of("mine", "b"));
  EXPECT_EQ(Take(watcher), "b");
}

TEST_F(EventBusTest, InitialEventsComeFirst) {
  const auto watcher = bus_.Watch(
      "", [] { return std::vector{Of("vm", "now")}; }, [] {});
  bus_.Publish(Of("vm", "later"));
  EXPECT_EQ(Take(watcher), "now");
  EXPECT_EQ(Take(watcher), "later");
}

TEST_F(EventBusTest, WhatHappensWhileTheCurrentIsGatheredComesAfterIt) {
  const auto watcher = bus_.Watch(
      "",
      [&] {
        bus_.Publish(Of("vm", "meanwhile"));
        return std::vector{Of("vm", "now")};
      },
      [] {});
  EXPECT_EQ(Take(watcher), "now");
  EXPECT_EQ(Take(watcher), "meanwhile");
}

TEST_F(EventBusTest, ReadyIsCalledUntilUnwatched) {
  int calls = 0;
  const auto watcher = bus_.Watch("", nullptr, [&] { ++calls; });
  EXPECT_EQ(calls, 1) << "once what is current is there";
  bus_.Publish(Of("vm", "a"));
  bus_.Unwatch(watcher);
  bus_.Publish(Of("vm", "b"));
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(bus_.watchers(), 0u);
}

TEST_F(EventBusTest, AWatcherThatLagsTooFarIsTold) {
  const auto watcher = bus_.Watch("", nullptr, [] {});
  for (size_t i = 0; i <= EventBus::kQueued; ++i) bus_.Publish(Of("vm", "x"));
  for (size_t i = 0; i < EventBus::kQueued; ++i) EXPECT_EQ(Take(watcher), "x");
  Take(watcher);
  EXPECT_EQ(result_, EventBus::TakeResult::kMissed);
}

TEST_F(EventBusTest, EventsCarryTheirTime) {
  const auto watcher = bus_.Watch("", nullptr, [] {});
  const int64_t before = UnixNowNs();
  bus_.Publish(Of("vm", "a"));
  hv::v1::Event event;
  ASSERT_EQ(bus_.Take(watcher, event), EventBus::TakeResult::kEvent);
  EXPECT_GE(event.unix_ns(), before);
  EXPECT_LE(event.unix_ns(), UnixNowNs());
}

}  // namespace
}  // namespace hv::hvd
