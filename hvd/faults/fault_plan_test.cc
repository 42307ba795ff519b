#include "hvd/faults/fault_plan.h"

#include <gtest/gtest.h>
#include <signal.h>

#include "abi/message.h"
#include "hvd/faults/fault_names.h"

namespace hv::hvd {
namespace {

hv::v1::Fault Fault(hv::v1::FaultAction action, hv::v1::FaultPoint point) {
  hv::v1::Fault fault;
  fault.set_action(action);
  fault.set_point(point);
  fault.set_every(1);
  if (action == hv::v1::FAULT_ACTION_DELAY) fault.set_argument(1);
  return fault;
}

void ExpectInvalid(const hv::v1::Fault& fault, const std::string& part) {
  const auto plan = PlanOf(fault);
  EXPECT_TRUE(absl::IsInvalidArgument(plan.status())) << plan.status();
  EXPECT_NE(plan.status().message().find(part), std::string::npos) << plan.status();
}

TEST(FaultPlanTest, EachActionCanBeAtItsPointsAndNowhereElse) {
  for (int a = hv::v1::FaultAction_MIN; a <= hv::v1::FaultAction_MAX; ++a) {
    const auto action = static_cast<hv::v1::FaultAction>(a);
    EXPECT_EQ(PointsOf(action).empty(), action == hv::v1::FAULT_ACTION_UNSPECIFIED) << a;
    for (int p = hv::v1::FaultPoint_MIN; p <= hv::v1::FaultPoint_MAX; ++p) {
      const auto point = static_cast<hv::v1::FaultPoint>(p);
      if (!hv::v1::FaultPoint_IsValid(p) || point == hv::v1::FAULT_POINT_NOW) continue;
      EXPECT_EQ(PlanOf(Fault(action, point)).ok(), CanBeAt(action, point)) << a << " at " << p;
    }
  }
}

TEST(FaultPlanTest, SaysWhereAnActionCanBe) {
  ExpectInvalid(Fault(hv::v1::FAULT_ACTION_DROP_WAKE, hv::v1::FAULT_POINT_SEND),
                "action drop-wake at point send: it can be at wake");
  ExpectInvalid(Fault(hv::v1::FAULT_ACTION_UNSPECIFIED, hv::v1::FAULT_POINT_SEND), "none");
}

TEST(FaultPlanTest, OnlySignalsComeFromOutside) {
  EXPECT_EQ(SignalOf(hv::v1::FAULT_ACTION_STOP).value(), SIGSTOP);
  EXPECT_FALSE(SignalOf(hv::v1::FAULT_ACTION_HANG).ok());
}

TEST(FaultPlanTest, WhichPassesHasOneAnswer) {
  auto fault = Fault(hv::v1::FAULT_ACTION_KILL, hv::v1::FAULT_POINT_AFTER_RECEIVE);
  fault.set_rate(0.5);
  ExpectInvalid(fault, "one of the two");
  fault.set_every(0);
  EXPECT_EQ(PlanOf(fault)->rate, uint64_t{1} << 31);
  for (const double rate : {0.0, -0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    fault.set_rate(rate);
    EXPECT_FALSE(PlanOf(fault).ok()) << rate;
  }
}

TEST(FaultPlanTest, ArgumentsHaveRanges) {
  auto fault = Fault(hv::v1::FAULT_ACTION_EXIT, hv::v1::FAULT_POINT_AFTER_RECEIVE);
  fault.set_argument(256);
  ExpectInvalid(fault, "argument 256: an exit status is 0 to 255");
  fault.set_action(hv::v1::FAULT_ACTION_DELAY);
  fault.set_argument(0);
  ExpectInvalid(fault, "a delay is 1 to");
  fault.set_action(hv::v1::FAULT_ACTION_KILL);
  fault.set_argument(9);
  ExpectInvalid(fault, "kill takes none");
}

TEST(FaultPlanTest, KindsGoByTheirNames) {
  auto fault = Fault(hv::v1::FAULT_ACTION_KILL, hv::v1::FAULT_POINT_AFTER_RECEIVE);
  fault.set_kind("READ");
  EXPECT_EQ(PlanOf(fault)->kind, HV_KIND_READ);
  fault.set_kind("READING");
  ExpectInvalid(fault, "kind 'READING'");
  auto wake = Fault(hv::v1::FAULT_ACTION_DROP_WAKE, hv::v1::FAULT_POINT_WAKE);
  wake.set_kind("READ");
  ExpectInvalid(wake, "no message in hand");
}

TEST(FaultPlanTest, IsShownAsItWasAskedFor) {
  auto fault = Fault(hv::v1::FAULT_ACTION_EXIT, hv::v1::FAULT_POINT_MID_PUBLISH);
  fault.set_kind("EOI");
  fault.set_times(3);
  fault.set_every(7);
  fault.set_argument(5);
  EXPECT_EQ(ShowPlan(*PlanOf(fault)).SerializeAsString(), fault.SerializeAsString());
}

TEST(FaultNamesTest, AreWhatPeopleType) {
  EXPECT_EQ(PointName(hv::v1::FAULT_POINT_MID_PUBLISH), "mid-publish");
  EXPECT_EQ(PointNamed("mid-publish"), hv::v1::FAULT_POINT_MID_PUBLISH);
  EXPECT_EQ(ActionNamed("out-of-memory"), hv::v1::FAULT_ACTION_OUT_OF_MEMORY);
  EXPECT_EQ(ActionNamed("explode"), hv::v1::FAULT_ACTION_UNSPECIFIED);
  EXPECT_EQ(ActionName(static_cast<hv::v1::FaultAction>(99)), "?");
}

}  // namespace
}  // namespace hv::hvd
