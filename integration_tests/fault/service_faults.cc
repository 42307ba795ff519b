#include "integration_tests/fault/service_faults.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <thread>

#include "integration_tests/fault/rounds_machine.h"

namespace hv::testing {
namespace {

const char* const kStepPoints[] = {"after-receive", "before-commit", "after-commit", "mid-publish",
                                   "before-acknowledge"};

// One machine for all tests of a service: it takes fault after fault.
class ServiceFaults : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { machine_ = new RoundsMachine(); }
  static void TearDownTestSuite() {
    delete machine_;
    machine_ = nullptr;
  }
  void TearDown() override { machine_->ClearFaults(); }

  static uint32_t Epoch() { return machine_->Service(kSubject.service).epoch(); }
  static uint32_t Set(const std::string& point, const std::string& action,
                      const std::vector<std::string>& more = {}) {
    return machine_->Set(kSubject.service, point, action, more);
  }
  // Waits until the service has been replaced so often since it was at `epoch`, while the guest
  // goes on.
  static void AwaitReplaced(uint32_t epoch, uint32_t times) {
    while (!HasFailure() && Epoch() < epoch + times) machine_->GoOn();
    EXPECT_EQ(Epoch(), epoch + times);
    EXPECT_EQ(machine_->Service(kSubject.service).state(), "running");
  }
  // The first at every point of a step, each other one at a point of its own; the service is
  // replaced each time.
  static void DieEverywhere(const std::vector<std::string>& actions) {
    for (const char* point : kStepPoints) Die(point, actions[0]);
    for (size_t i = 1; i < actions.size(); ++i) Die(kStepPoints[i], actions[i]);
  }
  static void Die(const std::string& point, const std::string& action) {
    SCOPED_TRACE(action + " at " + point);
    const uint32_t epoch = Epoch();
    machine_->AwaitFired(Set(point, action, {"--nth", "3"}), 1);
    AwaitReplaced(epoch, 1);
    machine_->GoOn();
    machine_->ClearFaults();
    ASSERT_FALSE(HasFailure());
  }

  static RoundsMachine* machine_;
};

RoundsMachine* ServiceFaults::machine_ = nullptr;

TEST_F(ServiceFaults, DyingAtAnyPointInAnyWayTheGuestGoesOn) {
  DieEverywhere({"kill", "segv", "abort", "exit"});
}

TEST_F(ServiceFaults, HangingAtAnyPointItIsReplacedAndTheGuestGoesOn) {
  DieEverywhere({"stop", "hang", "deadlock"});
}

TEST_F(ServiceFaults, DyingAgainAndAgainTheGuestGoesOn) {
  const uint32_t epoch = Epoch();
  const uint32_t id = Set("after-commit", "kill", {"--every", "40", "--times", "25"});
  machine_->AwaitFired(id, 25);
  AwaitReplaced(epoch, 25);
  machine_->GoOn();
}

TEST_F(ServiceFaults, DyingByChanceTheGuestGoesOn) {
  const uint32_t epoch = Epoch();
  const uint32_t id =
      Set("before-commit", "kill", {"--rate", "0.02", "--seed", "7", "--times", "10"});
  machine_->AwaitFired(id, 10);
  AwaitReplaced(epoch, 10);
  machine_->GoOn();
}

TEST_F(ServiceFaults, KilledFromOutsideTheGuestGoesOn) {
  for (const char* action : {"kill", "segv", "abort", "stop"}) {
    SCOPED_TRACE(action);
    const uint32_t epoch = Epoch();
    Set("now", action);
    AwaitReplaced(epoch, 1);
    machine_->GoOn();
  }
}

// A disk that is slow, a host that is busy: no reason to replace anybody.
TEST_F(ServiceFaults, DelayedForLessThanAHangItIsNotReplaced) {
  const uint32_t epoch = Epoch();
  for (const char* point : kStepPoints) {
    SCOPED_TRACE(point);
    machine_->AwaitFired(Set(point, "delay", {"--nth", "3", "--value", "10000000"}), 1);
    machine_->GoOn();
  }
  EXPECT_EQ(Epoch(), epoch);
}

// Its control threads allocate; its data path does not.
TEST_F(ServiceFaults, OutOfMemoryItIsReplacedWhenItAllocates) {
  const uint32_t epoch = Epoch();
  machine_->AwaitFired(Set("after-commit", "out-of-memory"), 1);
  AwaitReplaced(epoch, 1);  // looks at its status
  machine_->GoOn();
}

TEST_F(ServiceFaults, WakeUpsLostOrDoubledCostTimeAndNothingElse) {
  const uint32_t epoch = Epoch();
  machine_->AwaitFired(Set("wake", "drop-wake", {"--every", "3", "--times", "50"}), 50);
  machine_->AwaitFired(Set("wake", "double-wake", {"--every", "2", "--times", "50"}), 50);
  machine_->GoOn();
  EXPECT_EQ(Epoch(), epoch);
}

TEST_F(ServiceFaults, StuckForEverItIsReplaced) {
  const uint32_t epoch = Epoch();
  machine_->AwaitFired(Set("turn", "stick"), 1);
  AwaitReplaced(epoch, 1);
  machine_->GoOn();
}

// Its loop works on, behind control threads that answer nobody.
TEST_F(ServiceFaults, DeadlockedOnItsControlEndpointItIsReplaced) {
  const uint32_t epoch = Epoch();
  // At every call: questions of others than the watch take part, and Epoch() asks too.
  Set("control", "deadlock", {"--every", "1"});
  AwaitReplaced(epoch, 1);
  machine_->ClearFaults();  // before the successor is found deadlocked as well
  machine_->GoOn();
}

TEST_F(ServiceFaults, ForgedCellsAreRefusedAndCounted) {
  struct Forgery {
    const char* action;
    std::vector<std::string> reasons;  // one of them is its count
  };
  std::vector<Forgery> forgeries{{"forge-stamp", {"stamp"}},
                                 {"forge-epoch", {"epoch"}},
                                 {"forge-kind", {"kind"}},
                                 {"forge-answer", {"answer", "kind"}},
                                 {"forge-bit", {"epoch", "kind"}}};
  if (kSubject.forges_content) forgeries.push_back({"forge-content", {"content"}});
  constexpr uint64_t kTimes = 20;
  const uint32_t epoch = Epoch();
  for (const Forgery& forgery : forgeries) {
    SCOPED_TRACE(forgery.action);
    const auto refused = [&] {
      uint64_t sum = 0;
      for (const std::string& reason : forgery.reasons) sum += machine_->Refused(reason);
      return sum;
    };
    const uint64_t before = refused();
    // By chance: each Nth could be the same message of every round, of a kind that is not forged
    // so.
    machine_->AwaitFired(
        Set("send", forgery.action, {"--rate", "0.2", "--seed", "7", "--times", "20"}), kTimes);
    machine_->GoOn();
    // A forged stamp may be gone before anybody looks; the rest are cells that somebody takes.
    if (std::string(forgery.action) != "forge-stamp") {
      EXPECT_GE(refused(), before + kTimes);
    }
    machine_->ClearFaults();
  }
  EXPECT_EQ(Epoch(), epoch);
}

TEST_F(ServiceFaults, AMessageThatKillsItThreeTimesIsAnsweredAsByAbsentHardware) {
  const auto before = machine_->Service(kSubject.service);
  const Progress progress = machine_->GoOn();
  const uint32_t id =
      Set("after-receive", "kill", {"--kind", "READ", "--every", "1", "--times", "3"});
  machine_->AwaitFired(id, 3);
  const Progress after = machine_->GoOn();
  const auto now = machine_->Service(kSubject.service);
  EXPECT_EQ(now.quarantined(), before.quarantined() + 1);
  EXPECT_EQ(now.epoch(), before.epoch() + 3);
  EXPECT_EQ(now.state(), "running");
  EXPECT_LE(after.absent, progress.absent + 1) << "more than the one was answered so";
}

TEST_F(ServiceFaults, FaultsAndCountsOutliveAKilledHvd) {
  const uint32_t id = Set("before-commit", "kill", {"--every", "500"});
  machine_->AwaitFired(id, 1);
  const hv::v1::Fault before = machine_->FaultOf(id);
  const uint64_t quarantined = machine_->Service(kSubject.service).quarantined();
  const pid_t hvd = machine_->hvctl().HvdPid();
  Signal(hvd, SIGKILL);
  ASSERT_TRUE(Hvctl::AwaitEnd(hvd));
  // hvctl run starts the next one.
  while (machine_->hvctl().Run({"ps"}).status != 0) std::this_thread::yield();
  machine_->GoOn();
  const hv::v1::Fault after = machine_->FaultOf(id);
  EXPECT_GE(after.passes(), before.passes());
  EXPECT_GE(after.fired(), before.fired());
  machine_->AwaitFired(id, after.fired() + 2);
  EXPECT_EQ(machine_->Service(kSubject.service).state(), "running");
  EXPECT_EQ(machine_->Service(kSubject.service).quarantined(), quarantined);
  EXPECT_NE(Set("after-commit", "kill", {"--nth", "1000000000"}), id)
      << "two faults of one number";
}

TEST_F(ServiceFaults, EachFailoverIsOnRecord) {
  const uint32_t epoch = Epoch();
  Set("now", "kill");
  AwaitReplaced(epoch, 1);
  machine_->GoOn();
  const auto status = machine_->Service(kSubject.service);
  ASSERT_EQ(status.failovers().stages_size(), 5);
  for (const auto& stage : status.failovers().stages()) {
    EXPECT_GT(stage.count(), 0u) << stage.name();
    EXPECT_LE(stage.count(), status.epoch() - 1) << stage.name();
    EXPECT_LE(stage.p50_ns(), stage.p99_ns());
    EXPECT_LE(stage.p99_ns(), stage.max_ns());
  }
}

}  // namespace
}  // namespace hv::testing
