#include "service/fault_points.h"

#include <vector>

#include "abi/message.h"
#include "gtest/gtest.h"

namespace hv::service {
namespace {

constexpr hv_fault_point kPoint = HV_FAULT_POINT_BEFORE_COMMIT;

class RecordingEffects : public FaultEffects {
 public:
  void Fail(hv_fault_action action, uint64_t argument) override {
    failures.emplace_back(action, argument);
  }
  std::vector<std::pair<hv_fault_action, uint64_t>> failures;
};

class FaultPointsTest : public testing::Test {
 protected:
  hv_fault& Set(const hv_fault& plan) {
    hv_fault& place = table_.faults[table_.armed];
    place = plan;
    place.id = ++table_.armed;
    return place;
  }
  // At which of so many passes the plans fired.
  std::vector<int> Fired(int passes, uint16_t kind = HV_KIND_READ) {
    std::vector<int> fired;
    for (int pass = 1; pass <= passes; ++pass) {
      const size_t before = effects_.failures.size();
      points_.Reach(kPoint, kind);
      if (effects_.failures.size() > before) fired.push_back(pass);
    }
    return fired;
  }

  hv_fault_table table_{};
  RecordingEffects effects_;
  FaultPoints points_{&table_, &effects_};
};

TEST_F(FaultPointsTest, NothingSetNothingHappens) {
  EXPECT_TRUE(Fired(10).empty());
  FaultPoints().Reach(kPoint, HV_KIND_READ);
  EXPECT_EQ(FaultPoints().Wakes(), 1);
  EXPECT_FALSE(FaultPoints().IsStuck(0));
}

TEST_F(FaultPointsTest, FiresAtEachEveryThPassWithItsArgument) {
  const hv_fault& fault =
      Set({.point = kPoint, .action = HV_FAULT_ACTION_EXIT, .every = 3, .argument = 7});
  EXPECT_EQ(Fired(10), (std::vector<int>{3, 6, 9}));
  EXPECT_EQ(effects_.failures.front(), std::pair(HV_FAULT_ACTION_EXIT, uint64_t{7}));
  EXPECT_EQ(fault.passes, 10u);
  EXPECT_EQ(fault.fired, 3u);
}

TEST_F(FaultPointsTest, FiresAtMostAsOftenAsAsked) {
  Set({.point = kPoint, .action = HV_FAULT_ACTION_KILL, .times = 1, .every = 3});
  EXPECT_EQ(Fired(20), std::vector<int>{3});
}

TEST_F(FaultPointsTest, OtherPointsAndOtherKindsDoNotCount) {
  hv_fault& other =
      Set({.point = HV_FAULT_POINT_AFTER_COMMIT, .action = HV_FAULT_ACTION_KILL, .every = 1});
  hv_fault& kind =
      Set({.point = kPoint, .action = HV_FAULT_ACTION_KILL, .kind = HV_KIND_WRITE, .every = 1});
  EXPECT_TRUE(Fired(5).empty());
  EXPECT_EQ(other.passes + kind.passes, 0u);
  EXPECT_EQ(Fired(1, HV_KIND_WRITE), std::vector<int>{1});
}

TEST_F(FaultPointsTest, AClearedOneNoLongerFires) {
  Set({.point = kPoint, .action = HV_FAULT_ACTION_KILL, .every = 1});
  Set({.point = HV_FAULT_POINT_WAKE, .action = HV_FAULT_ACTION_DROP_WAKE, .every = 1});
  table_.faults[0].id = 0;
  table_.armed = 1;
  EXPECT_TRUE(Fired(3).empty());
}

TEST_F(FaultPointsTest, ChancesComeOutTheSameForTheSameSeedAndAboutAsOftenAsAsked) {
  const uint64_t rate = (uint64_t{1} << 32) / 10;
  hv_fault& fault =
      Set({.point = kPoint, .action = HV_FAULT_ACTION_KILL, .every = 0, .rate = rate, .seed = 5});
  const std::vector<int> first = Fired(1000);
  EXPECT_NEAR(static_cast<double>(first.size()), 100, 40);
  fault.passes = 0;
  EXPECT_EQ(Fired(1000), first);
  fault.passes = 0;
  fault.seed = 6;
  EXPECT_NE(Fired(1000), first);
}

TEST_F(FaultPointsTest, ACertainChanceFiresAlways) {
  Set({.point = kPoint, .action = HV_FAULT_ACTION_KILL, .rate = uint64_t{1} << 32});
  EXPECT_EQ(Fired(100).size(), 100u);
}

// A successor has the table and nothing else.
TEST_F(FaultPointsTest, ASuccessorCountsOn) {
  Set({.point = kPoint, .action = HV_FAULT_ACTION_KILL, .every = 3});
  EXPECT_EQ(Fired(2), std::vector<int>{});
  points_ = FaultPoints(&table_, &effects_);
  EXPECT_EQ(Fired(4), (std::vector<int>{1, 4}));
}

TEST_F(FaultPointsTest, WakeUpsAreDroppedOrDoubled) {
  hv_fault& fault =
      Set({.point = HV_FAULT_POINT_WAKE, .action = HV_FAULT_ACTION_DROP_WAKE, .every = 2});
  EXPECT_EQ(points_.Wakes(), 1);
  EXPECT_EQ(points_.Wakes(), 0);
  fault.action = HV_FAULT_ACTION_DOUBLE_WAKE;
  EXPECT_EQ(points_.Wakes(), 1);
  EXPECT_EQ(points_.Wakes(), 2);
}

TEST_F(FaultPointsTest, IsStuckForItsTimeAndThenGoesOn) {
  Set({.point = HV_FAULT_POINT_TURN,
       .action = HV_FAULT_ACTION_STICK,
       .times = 1,
       .every = 2,
       .argument = 100});
  EXPECT_FALSE(points_.IsStuck(1000));
  EXPECT_TRUE(points_.IsStuck(1010));
  EXPECT_TRUE(points_.IsStuck(1109));
  EXPECT_FALSE(points_.IsStuck(1110));
}

TEST_F(FaultPointsTest, IsStuckForEverWithoutATime) {
  Set({.point = HV_FAULT_POINT_TURN, .action = HV_FAULT_ACTION_STICK, .times = 1, .every = 1});
  EXPECT_TRUE(points_.IsStuck(1));
  EXPECT_TRUE(points_.IsStuck(UINT64_MAX - 1));
}

}  // namespace
}  // namespace hv::service
