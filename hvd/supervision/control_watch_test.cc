#include "hvd/supervision/control_watch.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace hv::hvd {
namespace {

constexpr std::chrono::milliseconds kSoon{1};

// One service that answers as `answer` says.
class ControlWatchTest : public testing::Test {
 protected:
  void Watch() {
    watch_ = std::make_unique<ControlWatch>(
        ControlWatch::Parts{.subjects =
                                [this] {
                                  return std::vector<ControlWatch::Subject>{
                                      {.endpoint = 7, .epoch = epoch_, .ask = [this](auto) {
                                         return answer_(++asked_);
                                       }}};
                                },
                            .on_hang =
                                [this](uint32_t endpoint, uint32_t epoch) {
                                  EXPECT_EQ(endpoint, 7u);
                                  if (!hung_reported_.exchange(true)) hung_.set_value(epoch);
                                },
                            .period = kSoon,
                            .again = kSoon,
                            .timeout = kSoon});
  }
  void AwaitAsked(int times) {
    while (asked_ < times) std::this_thread::yield();
  }

  std::function<absl::Status(int)> answer_ = [](int) { return absl::OkStatus(); };
  std::atomic<int> asked_{0};
  std::atomic<uint32_t> epoch_{1};
  std::atomic<bool> hung_reported_{false};
  std::promise<uint32_t> hung_;
  std::unique_ptr<ControlWatch> watch_;
};

TEST_F(ControlWatchTest, OneThatAnswersIsLeftAlone) {
  Watch();
  AwaitAsked(20);
  EXPECT_FALSE(hung_reported_);
}

TEST_F(ControlWatchTest, OneThatNeverAnswersHangs) {
  answer_ = [](int) { return absl::DeadlineExceededError("late"); };
  Watch();
  EXPECT_EQ(hung_.get_future().get(), 1u);
  EXPECT_GE(asked_, ControlWatch::kMisses);
}

TEST_F(ControlWatchTest, OneThatIsLateNowAndThenIsLeftAlone) {
  answer_ = [](int n) {
    return n % ControlWatch::kMisses == 0 ? absl::OkStatus() : absl::DeadlineExceededError("late");
  };
  Watch();
  AwaitAsked(30);
  EXPECT_FALSE(hung_reported_);
}

TEST_F(ControlWatchTest, ADeadOneIsNoHang) {
  answer_ = [](int) { return absl::UnavailableError("gone"); };
  Watch();
  AwaitAsked(20);
  EXPECT_FALSE(hung_reported_);
}

TEST_F(ControlWatchTest, ASuccessorBeginsAnew) {
  answer_ = [this](int) {
    ++epoch_;
    return absl::DeadlineExceededError("late");
  };
  Watch();
  AwaitAsked(20);
  EXPECT_FALSE(hung_reported_);
}

}  // namespace
}  // namespace hv::hvd
