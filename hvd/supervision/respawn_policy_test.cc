#include "hvd/supervision/respawn_policy.h"

#include <gtest/gtest.h>

namespace hv::hvd {
namespace {

using std::chrono::milliseconds;

TEST(RespawnPolicyTest, ServiceThatWorksIsReplacedAtOnceForEver) {
  RespawnPolicy policy;
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(policy.OnDeath(true), milliseconds(0));
}

TEST(RespawnPolicyTest, FruitlessDeathsBackOffAndEnd) {
  RespawnPolicy policy;
  for (uint32_t i = 0; i < RespawnPolicy::kImmediateTries; ++i) {
    EXPECT_EQ(policy.OnDeath(false), milliseconds(0));
  }
  auto last = milliseconds(0);
  for (uint32_t i = RespawnPolicy::kImmediateTries; i < RespawnPolicy::kTries; ++i) {
    const auto delay = policy.OnDeath(false);
    ASSERT_TRUE(delay.has_value());
    EXPECT_GT(*delay, last);
    EXPECT_LE(*delay, RespawnPolicy::kLongestDelay);
    last = *delay;
  }
  EXPECT_EQ(policy.OnDeath(false), std::nullopt);
  EXPECT_EQ(policy.OnDeath(false), std::nullopt);
}

TEST(RespawnPolicyTest, WorkDoneForgivesFormerDeaths) {
  RespawnPolicy policy;
  for (uint32_t i = 0; i < RespawnPolicy::kTries; ++i) policy.OnDeath(false);
  EXPECT_EQ(policy.OnDeath(true), milliseconds(0));
  EXPECT_EQ(policy.OnDeath(false), milliseconds(0));
}

}  // namespace
}  // namespace hv::hvd
