#include "hvd/faults/chaos_plan.h"

#include <gtest/gtest.h>

#include <set>

#include "hvd/faults/fault_plan.h"

namespace hv::hvd {
namespace {

const std::vector<std::string> kServices{"ioapic_svc", "timer_svc", "serial_svc"};

hv::v1::ChaosRequest Request(uint64_t seed) {
  hv::v1::ChaosRequest request;
  request.set_seed(seed);
  request.set_rate(50);
  request.set_duration_ms(10'000);
  return request;
}

std::string Bytes(const std::vector<hv::v1::Injection>& plan) {
  std::string bytes;
  for (const auto& injection : plan) bytes += injection.SerializeAsString();
  return bytes;
}

TEST(ChaosPlanTest, TheSameSeedPlansTheSameAndAnotherAnother) {
  const auto plan = PlanChaos(Request(1), kServices).value();
  EXPECT_EQ(Bytes(plan), Bytes(PlanChaos(Request(1), kServices).value()));
  EXPECT_NE(Bytes(plan), Bytes(PlanChaos(Request(2), kServices).value()));
}

TEST(ChaosPlanTest, KeepsItsRateAndItsTime) {
  const auto plan = PlanChaos(Request(3), kServices).value();
  EXPECT_NEAR(static_cast<double>(plan.size()), 500, 100);
  for (size_t i = 1; i < plan.size(); ++i) EXPECT_LE(plan[i - 1].at_us(), plan[i].at_us());
  EXPECT_LT(plan.back().at_us(), 10'000'000u);
}

TEST(ChaosPlanTest, EachInjectionCanBe) {
  auto request = Request(4);
  for (int action = hv::v1::FAULT_ACTION_KILL; action <= hv::v1::FAULT_ACTION_DEADLOCK; ++action) {
    request.add_actions(static_cast<hv::v1::FaultAction>(action));
  }
  const auto plan = PlanChaos(request, kServices).value();
  std::set<std::string> services;
  std::set<int> actions;
  std::set<int> points;
  for (const auto& injection : plan) {
    services.insert(injection.service());
    actions.insert(injection.action());
    points.insert(injection.point());
    if (injection.point() == hv::v1::FAULT_POINT_NOW) continue;
    EXPECT_TRUE(PlanOf(FaultOf(injection)).ok()) << injection.ShortDebugString();
  }
  EXPECT_EQ(services.size(), kServices.size());
  EXPECT_EQ(actions.size(), 18u);
  EXPECT_EQ(points.size(), 10u);
}

TEST(ChaosPlanTest, TakesWhatItIsToldToTake) {
  auto request = Request(5);
  request.add_services("timer_svc");
  request.add_actions(hv::v1::FAULT_ACTION_STOP);
  request.add_points(hv::v1::FAULT_POINT_NOW);
  const auto plan = PlanChaos(request, kServices).value();
  EXPECT_FALSE(plan.empty());
  for (const auto& injection : plan) {
    EXPECT_EQ(injection.service(), "timer_svc");
    EXPECT_EQ(injection.action(), hv::v1::FAULT_ACTION_STOP);
    EXPECT_EQ(injection.point(), hv::v1::FAULT_POINT_NOW);
  }
}

TEST(ChaosPlanTest, WhatWasReportedCanBeReplayed) {
  const auto plan = PlanChaos(Request(6), kServices).value();
  hv::v1::ChaosRequest replay;
  for (const auto& injection : plan) {
    *replay.add_replay() = injection;
    replay.mutable_replay()->rbegin()->set_fired(true);
  }
  std::swap(*replay.mutable_replay(0), *replay.mutable_replay(5));
  EXPECT_EQ(Bytes(PlanChaos(replay, kServices).value()), Bytes(plan));
}

TEST(ChaosPlanTest, SaysWhatCannotBe) {
  const auto refused = [](const hv::v1::ChaosRequest& request, const std::string& part) {
    const auto plan = PlanChaos(request, kServices);
    ASSERT_FALSE(plan.ok());
    EXPECT_NE(plan.status().message().find(part), std::string::npos) << plan.status();
  };
  auto request = Request(1);
  request.set_rate(0);
  refused(request, "rate 0");
  request = Request(1);
  request.set_duration_ms(0);
  refused(request, "duration_ms 0");
  request = Request(1);
  request.add_services("disk_svc");
  refused(request, "service 'disk_svc': the machine has ioapic_svc");
  request = Request(1);
  request.add_actions(hv::v1::FAULT_ACTION_STICK);
  request.add_points(hv::v1::FAULT_POINT_WAKE);
  refused(request, "stick: it can be at none");
  request = Request(1);
  request.add_replay()->set_service("timer_svc");
  refused(request, "action");
}

}  // namespace
}  // namespace hv::hvd
