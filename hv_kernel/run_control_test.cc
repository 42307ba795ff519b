#include "hv_kernel/run_control.h"

#include <atomic>
#include <thread>

#include "gtest/gtest.h"

namespace hv {
namespace {

// A vCPU thread that does nothing but ask whether to go on.
class Worker {
 public:
  explicit Worker(RunControl& control)
      : thread_([this, &control] {
          while (control.Proceed()) turns_.fetch_add(1);
          control.Leave();
        }) {}
  ~Worker() { thread_.join(); }
  uint64_t turns() const { return turns_.load(); }
  void AwaitTurnsBeyond(uint64_t turns) const {
    while (turns_.load() <= turns) std::this_thread::yield();
  }

 private:
  std::atomic<uint64_t> turns_{0};
  std::thread thread_;
};

TEST(RunControlTest, ThreadsStayParkedUntilResumed) {
  RunControl control(1, [] {});
  Worker worker(control);
  control.Pause();
  EXPECT_EQ(worker.turns(), 0u);
  control.Resume();
  worker.AwaitTurnsBeyond(0);
  control.Stop({});
}

TEST(RunControlTest, PauseReturnsOnlyWhenEveryThreadIsParked) {
  RunControl control(2, [] {});
  Worker first(control);
  Worker second(control);
  for (int round = 0; round < 100; ++round) {
    control.Resume();
    first.AwaitTurnsBeyond(first.turns());
    control.Pause();
    const uint64_t turns = first.turns() + second.turns();
    std::this_thread::yield();
    EXPECT_EQ(first.turns() + second.turns(), turns);
  }
  control.Stop({});
}

TEST(RunControlTest, TheFirstStopReportWins) {
  RunControl control(1, [] {});
  Worker worker(control);
  control.Resume();
  control.ReportStop({.cause = StopCause::kDebugExit, .value = 7});
  control.ReportStop({.cause = StopCause::kShutdown});
  const StopReport report = *control.WaitUntilStopped([] { return false; });
  EXPECT_EQ(report.cause, StopCause::kDebugExit);
  EXPECT_EQ(report.value, 7u);
}

TEST(RunControlTest, AParkedMachineCanBeStopped) {
  RunControl control(1, [] {});
  Worker worker(control);
  control.Pause();
  control.Stop({.cause = StopCause::kRequested});
  EXPECT_EQ(control.WaitUntilStopped([] { return false; })->cause, StopCause::kRequested);
  EXPECT_TRUE(control.stopping());
}

TEST(RunControlTest, AStopEndsAPauseThatWaitsForAThreadThatWaitsForAService) {
  RunControl control(1, [] {});
  control.Resume();
  std::thread asking([&] {
    while (!control.stopping()) std::this_thread::yield();
    control.Leave();
  });
  std::thread pausing([&] { control.Pause(); });
  while (!control.paused()) std::this_thread::yield();
  control.Stop({.cause = StopCause::kRequested});
  pausing.join();
  asking.join();
  EXPECT_TRUE(control.stopped().has_value());
}

TEST(RunControlTest, PauseKicksTheThreads) {
  std::atomic<int> kicks{0};
  RunControl control(1, [&] { kicks.fetch_add(1); });
  Worker worker(control);
  control.Resume();
  control.Pause();
  EXPECT_EQ(kicks.load(), 1);
  control.Stop({});
}

}  // namespace
}  // namespace hv
