// Crashes the runtime after every single store it makes to shared memory, in turn, lets a successor
// attach, and compares what the peers saw and what the state became with an undisturbed run.
#include "gtest/gtest.h"
#include "service/crash_world.h"
#include "service/random_bits.h"

namespace hv::service {
namespace {

// Runs a process that dies after `stores` stores; true if it got to the end instead.
bool RunUntilCrash(World& world, int stores) {
  try {
    world.RunProcess({&stores});
    return true;
  } catch (const Crash&) {
    return false;
  }
}

class CrashTest : public testing::Test {
 protected:
  CrashTest() { undisturbed_.RunProcess({}); }
  void ExpectSameAsUndisturbed(World& world, int crash_at) {
    EXPECT_EQ(world.SeenByVcpu(), undisturbed_.SeenByVcpu()) << "crash after store " << crash_at;
    EXPECT_EQ(world.SeenByIoapic(), undisturbed_.SeenByIoapic()) << "crash at " << crash_at;
    EXPECT_EQ(world.state().sum, undisturbed_.state().sum) << "crash after store " << crash_at;
    EXPECT_EQ(world.state().messages, kMessages) << "crash after store " << crash_at;
    EXPECT_EQ(world.projected(), undisturbed_.state().sum) << "crash after store " << crash_at;
  }
  World undisturbed_;
};

TEST_F(CrashTest, TheUndisturbedRunAnswersEveryMessageOnce) {
  EXPECT_EQ(undisturbed_.SeenByVcpu().size(), kMessages);
  EXPECT_EQ(undisturbed_.SeenByIoapic().size(), 1 + kMessages / 3);
  EXPECT_GT(undisturbed_.blocked, 0) << "the test should run into full rings too";
}

TEST_F(CrashTest, OneCrashAfterAnyStoreChangesNothing) {
  bool finished = false;
  int crash_at = 1;
  for (; !finished; ++crash_at) {
    World world;
    finished = RunUntilCrash(world, crash_at);
    if (!finished) world.RunProcess({});
    ExpectSameAsUndisturbed(world, crash_at);
  }
  // Eight stores a published cell and one a commit, at the least: the loop really went through
  // them.
  EXPECT_GT(crash_at, static_cast<int>(kMessages * 9));
}

// Not at regular distances: a message of which a process dies three times running is no longer
// shown to its successor.
TEST_F(CrashTest, CrashingAgainAndAgainChangesNothing) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    World world;
    for (uint64_t life = 0;
         !RunUntilCrash(world, static_cast<int>(9 + RandomBits(seed, life) % 60)) && life < 1000;
         ++life) {
    }
    world.RunProcess({});
    ASSERT_EQ(world.header().quarantined, 0u) << "seed " << seed;
    ExpectSameAsUndisturbed(world, static_cast<int>(seed));
  }
}

}  // namespace
}  // namespace hv::service
