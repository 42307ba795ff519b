// Faults at each point of the runtime: the process dies there again and again, or sends what it
// should not, and its peers see what they would have seen without.
#include "gtest/gtest.h"
#include "service/crash_world.h"

namespace hv::service {
namespace {

// A fault that ends the process: nothing later in it happens.
class CrashingEffects : public FaultEffects {
 public:
  void Fail(hv_fault_action, uint64_t) override { throw Crash{}; }
};

// Lives until one comes to the end of the work; how many died before.
int RunLives(World& world) {
  CrashingEffects effects;
  for (int deaths = 0; deaths < 1000; ++deaths) {
    try {
      world.RunProcess({}, &effects);
      return deaths;
    } catch (const Crash&) {
    }
  }
  ADD_FAILURE() << "it never comes to the end";
  return 0;
}

void ExpectSame(World& world, World& undisturbed) {
  EXPECT_EQ(world.SeenByVcpu(), undisturbed.SeenByVcpu());
  EXPECT_EQ(world.SeenByIoapic(), undisturbed.SeenByIoapic());
  EXPECT_EQ(world.state().sum, undisturbed.state().sum);
  EXPECT_EQ(world.state().messages, kMessages);
  EXPECT_EQ(world.projected(), undisturbed.projected());
}

class DeadlyPointTest : public testing::TestWithParam<hv_fault_point> {};

TEST_P(DeadlyPointTest, DyingThereAgainAndAgainChangesNothing) {
  World undisturbed;
  undisturbed.RunProcess({});
  World world;
  // Recovering makes two passes of BEFORE_ACKNOWLEDGE: a process gets beyond that.
  const hv_fault& fault = world.SetFault(
      {.point = static_cast<uint16_t>(GetParam()), .action = HV_FAULT_ACTION_KILL, .every = 5});
  const int deaths = RunLives(world);
  EXPECT_GT(deaths, 3);
  EXPECT_EQ(fault.fired, static_cast<uint64_t>(deaths));
  EXPECT_EQ(world.header().quarantined, 0u);
  ExpectSame(world, undisturbed);
}

INSTANTIATE_TEST_SUITE_P(Points, DeadlyPointTest,
                         testing::Values(HV_FAULT_POINT_AFTER_RECEIVE, HV_FAULT_POINT_BEFORE_COMMIT,
                                         HV_FAULT_POINT_AFTER_COMMIT, HV_FAULT_POINT_MID_PUBLISH,
                                         HV_FAULT_POINT_BEFORE_ACKNOWLEDGE));

// Each message kills it three times and is then passed over, however long the fault stays.
TEST(FaultStepTest, AFaultThatAlwaysKillsEndsWithItsMessagesQuarantined) {
  for (const hv_fault_point point : {HV_FAULT_POINT_AFTER_RECEIVE, HV_FAULT_POINT_BEFORE_COMMIT}) {
    World world;
    world.SetFault({.point = static_cast<uint16_t>(point),
                    .action = HV_FAULT_ACTION_KILL,
                    .kind = HV_KIND_DEADLINE_SET,
                    .every = 1});
    EXPECT_EQ(RunLives(world), static_cast<int>(kMessages * HV_POISON_DEATHS));
    EXPECT_EQ(world.header().quarantined, kMessages);
  }
}

class ForgeryTest : public testing::TestWithParam<hv_fault_action> {};

// The peers of this world refuse nothing: here only that what is true comes too, once and in order.
TEST_P(ForgeryTest, WhatIsTrueComesAllTheSame) {
  World undisturbed;
  undisturbed.RunProcess({});
  World world;
  const hv_fault& fault = world.SetFault({.point = HV_FAULT_POINT_SEND,
                                          .action = static_cast<uint16_t>(GetParam()),
                                          .every = 3,
                                          .seed = 11});
  EXPECT_EQ(RunLives(world), 0);
  EXPECT_GT(fault.fired, kMessages / 4);
  EXPECT_EQ(world.state().sum, undisturbed.state().sum);
  auto seen = world.SeenByVcpu();
  for (const auto& message : undisturbed.SeenByVcpu()) {
    const auto place = std::find(seen.begin(), seen.end(), message);
    ASSERT_NE(place, seen.end());
    seen.erase(seen.begin(), place + 1);
  }
}

INSTANTIATE_TEST_SUITE_P(Forgeries, ForgeryTest,
                         testing::Values(HV_FAULT_ACTION_FORGE_STAMP, HV_FAULT_ACTION_FORGE_KIND,
                                         HV_FAULT_ACTION_FORGE_CONTENT,
                                         HV_FAULT_ACTION_FORGE_ANSWER));

// Dying with a forged cell committed: the successor publishes the same again.
TEST(FaultStepTest, DyingWhileAForgeryIsPublishedLosesNothing) {
  World world;
  world.SetFault({.point = HV_FAULT_POINT_SEND, .action = HV_FAULT_ACTION_FORGE_STAMP, .every = 2});
  world.SetFault({.point = HV_FAULT_POINT_MID_PUBLISH, .action = HV_FAULT_ACTION_KILL, .every = 3});
  World undisturbed;
  undisturbed.RunProcess({});
  EXPECT_GT(RunLives(world), 3);
  ExpectSame(world, undisturbed);
}

}  // namespace
}  // namespace hv::service
