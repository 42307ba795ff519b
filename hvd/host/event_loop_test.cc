#include "hvd/host/event_loop.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <future>

namespace hv::hvd {
namespace {

using std::chrono::milliseconds;

class EventLoopTest : public testing::Test {
 protected:
  void MakeReadable() {
    const uint64_t one = 1;
    ASSERT_EQ(write(fd_.get(), &one, sizeof(one)), ssize_t(sizeof(one)));
  }
  UniqueFd fd_{eventfd(0, EFD_CLOEXEC)};
  EventLoop loop_;
};

TEST_F(EventLoopTest, ReadableDescriptorIsReportedOnce) {
  std::atomic<int> calls = 0;
  std::promise<void> called;
  loop_.WhenReadable(fd_.get(), [&] {
    ++calls;
    called.set_value();
  });
  MakeReadable();
  called.get_future().wait();
  std::promise<void> later;  // the descriptor is still readable while this timer runs
  loop_.After(milliseconds(5), [&] { later.set_value(); });
  later.get_future().wait();
  EXPECT_EQ(calls, 1);
}

TEST_F(EventLoopTest, TimersFireInOrderOfTheirTimes) {
  std::string order;
  std::promise<void> done;
  loop_.After(milliseconds(20), [&] {
    order += "b";
    done.set_value();
  });
  loop_.After(milliseconds(1), [&] { order += "a"; });
  done.get_future().wait();
  EXPECT_EQ(order, "ab");
}

TEST_F(EventLoopTest, PeriodicTimerFiresUntilCancelled) {
  std::atomic<int> calls = 0;
  std::promise<void> thrice;
  const auto id = loop_.Every(milliseconds(1), [&] {
    if (++calls == 3) thrice.set_value();
  });
  thrice.get_future().wait();
  loop_.Cancel(id);
  const int at_cancel = calls;
  std::promise<void> later;
  loop_.After(milliseconds(10), [&] { later.set_value(); });
  later.get_future().wait();
  EXPECT_EQ(calls, at_cancel);
}

TEST_F(EventLoopTest, CancelWaitsForARunningCallback) {
  std::promise<void> entered;
  std::promise<void> leave;
  std::atomic<bool> left = false;
  const auto id = loop_.After(milliseconds(0), [&] {
    entered.set_value();
    leave.get_future().wait();
    left = true;
  });
  entered.get_future().wait();
  std::thread cancel([&] {
    loop_.Cancel(id);
    EXPECT_TRUE(left);
  });
  leave.set_value();
  cancel.join();
}

TEST_F(EventLoopTest, ACallbackMayCancelItselfAndOthers) {
  std::promise<void> done;
  std::atomic<bool> other_called = false;
  const auto other = loop_.After(std::chrono::hours(1), [&] { other_called = true; });
  EventLoop::Id self = 0;
  std::promise<void> id_known;
  auto known = id_known.get_future();
  self = loop_.Every(milliseconds(1), [&] {
    known.wait();
    loop_.Cancel(other);
    loop_.Cancel(self);
    done.set_value();
  });
  id_known.set_value();
  done.get_future().wait();
  EXPECT_FALSE(other_called);
}

TEST_F(EventLoopTest, CancellingNothingReturns) {
  loop_.Cancel(EventLoop::kNone);
  loop_.Cancel(12345);
}

TEST_F(EventLoopTest, CancelledDescriptorIsNotReported) {
  std::atomic<bool> called = false;
  const auto id = loop_.WhenReadable(fd_.get(), [&] { called = true; });
  loop_.Cancel(id);
  MakeReadable();
  std::promise<void> later;
  loop_.After(milliseconds(5), [&] { later.set_value(); });
  later.get_future().wait();
  EXPECT_FALSE(called);
}

}  // namespace
}  // namespace hv::hvd
