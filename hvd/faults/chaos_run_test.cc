#include "hvd/faults/chaos_run.h"

#include <gtest/gtest.h>

namespace hv::hvd {
namespace {

// A machine that has faults and no services; time passes as far as it is waited for.
class ChaosRunTest : public testing::Test {
 protected:
  absl::Status Run(uint64_t end_us = 1000) {
    ChaosRun run({.wait_until =
                      [this](uint64_t at_us) {
                        now_us_ = at_us;
                        return at_us < client_goes_at_us_;
                      },
                  .set = [this](const hv::v1::Fault& fault) { return Set(fault); },
                  .all = [this] { return absl::StatusOr<std::vector<hv::v1::Fault>>(faults_); },
                  .clear =
                      [this](uint32_t id) {
                        const size_t before = faults_.size();
                        std::erase_if(faults_, [&](const auto& one) { return one.id() == id; });
                        return faults_.size() < before ? absl::OkStatus()
                                                       : absl::NotFoundError("no such fault");
                      },
                  .report =
                      [this](const hv::v1::Injection& injection) {
                        reports_.push_back(injection);
                        return true;
                      }});
    absl::Status status = run.Run(plan_, end_us);
    injections_ = run.injections();
    fired_ = run.fired();
    return status;
  }
  absl::StatusOr<hv::v1::Fault> Set(hv::v1::Fault fault) {
    if (!answer_.ok()) return answer_;
    if (fault.point() == hv::v1::FAULT_POINT_NOW) return fault;
    fault.set_id(++last_id_);
    if (fires_) fault.set_fired(1);
    faults_.push_back(fault);
    return fault;
  }
  void Plan(uint64_t at_us, const std::string& service, hv::v1::FaultPoint point) {
    hv::v1::Injection& injection = plan_.emplace_back();
    injection.set_at_us(at_us);
    injection.set_service(service);
    injection.set_point(point);
    injection.set_action(hv::v1::FAULT_ACTION_KILL);
    injection.set_nth(2);
  }

  std::vector<hv::v1::Injection> plan_, reports_;
  std::vector<hv::v1::Fault> faults_;
  absl::Status answer_;
  bool fires_ = true;
  uint32_t last_id_ = 0;
  uint64_t now_us_ = 0, client_goes_at_us_ = UINT64_MAX;
  uint64_t injections_ = 0, fired_ = 0;
};

TEST_F(ChaosRunTest, ReportsEachInjectionWithItsOutcomeAndLeavesNoFault) {
  Plan(10, "timer_svc", hv::v1::FAULT_POINT_NOW);
  Plan(20, "timer_svc", hv::v1::FAULT_POINT_BEFORE_COMMIT);
  Plan(30, "serial_svc", hv::v1::FAULT_POINT_MID_PUBLISH);
  ASSERT_TRUE(Run().ok());
  ASSERT_EQ(reports_.size(), 3u);
  for (const auto& report : reports_) EXPECT_TRUE(report.fired());
  EXPECT_EQ(injections_, 3u);
  EXPECT_EQ(fired_, 3u);
  EXPECT_EQ(now_us_, 1000u);
  EXPECT_TRUE(faults_.empty());
}

TEST_F(ChaosRunTest, AServiceHasOneFaultAtATime) {
  fires_ = false;
  Plan(10, "timer_svc", hv::v1::FAULT_POINT_BEFORE_COMMIT);
  Plan(20, "timer_svc", hv::v1::FAULT_POINT_AFTER_COMMIT);
  ASSERT_TRUE(Run().ok());
  ASSERT_EQ(reports_.size(), 2u);
  EXPECT_EQ(reports_[0].at_us(), 10u);
  EXPECT_FALSE(reports_[0].fired());
  EXPECT_EQ(fired_, 0u);
}

TEST_F(ChaosRunTest, AServiceThatIsBeingReplacedIsPassedOver) {
  answer_ = absl::UnavailableError("it is being replaced");
  Plan(10, "timer_svc", hv::v1::FAULT_POINT_NOW);
  ASSERT_TRUE(Run().ok());
  ASSERT_EQ(reports_.size(), 1u);
  EXPECT_FALSE(reports_[0].fired());
}

TEST_F(ChaosRunTest, AMachineThatEndsEndsIt) {
  answer_ = absl::FailedPreconditionError("the machine is stopped");
  Plan(10, "timer_svc", hv::v1::FAULT_POINT_NOW);
  EXPECT_TRUE(absl::IsFailedPrecondition(Run()));
}

TEST_F(ChaosRunTest, AClientThatGoesLeavesNoFault) {
  Plan(10, "timer_svc", hv::v1::FAULT_POINT_BEFORE_COMMIT);
  Plan(20, "serial_svc", hv::v1::FAULT_POINT_BEFORE_COMMIT);
  client_goes_at_us_ = 15;
  EXPECT_TRUE(absl::IsCancelled(Run()));
  EXPECT_TRUE(faults_.empty());
}

}  // namespace
}  // namespace hv::hvd
