#include "timer_svc/apic_deadlines.h"

#include <vector>

#include "abi/endpoint.h"
#include "gtest/gtest.h"

namespace hv::timer {
namespace {

class ApicDeadlinesTest : public testing::Test {
 protected:
  std::vector<hv_deadline> Expire(uint64_t now_ns, size_t limit = 64) {
    std::vector<hv_deadline> expired;
    deadlines_.Expire(now_ns, limit, [&](const hv_deadline& one) { expired.push_back(one); });
    return expired;
  }

  DeadlineState state_[HV_MAX_VCPUS] = {};
  ApicDeadlines deadlines_{state_, HV_MAX_VCPUS};
};

TEST_F(ApicDeadlinesTest, ADeadlineExpiresOnceAtItsTime) {
  ASSERT_TRUE(deadlines_.Set({.time_ns = 500, .vcpu = 3, .generation = 7}));
  EXPECT_EQ(deadlines_.Next(), 500u);
  EXPECT_TRUE(Expire(499).empty());
  const auto expired = Expire(500);
  ASSERT_EQ(expired.size(), 1u);
  EXPECT_EQ(expired[0].vcpu, 3u);
  EXPECT_EQ(expired[0].generation, 7u);
  EXPECT_EQ(expired[0].time_ns, 500u);
  EXPECT_TRUE(Expire(1000).empty());
  EXPECT_EQ(deadlines_.Next(), kNever);
}

TEST_F(ApicDeadlinesTest, ANewDeadlineTakesThePlaceOfTheOld) {
  deadlines_.Set({.time_ns = 500, .vcpu = 0, .generation = 1});
  deadlines_.Set({.time_ns = 900, .vcpu = 0, .generation = 2});
  EXPECT_TRUE(Expire(899).empty());
  EXPECT_EQ(Expire(900).at(0).generation, 2u);
}

TEST_F(ApicDeadlinesTest, TimeZeroDisarms) {
  deadlines_.Set({.time_ns = 500, .vcpu = 0, .generation = 1});
  deadlines_.Set({.time_ns = 0, .vcpu = 0, .generation = 2});
  EXPECT_EQ(deadlines_.Next(), kNever);
  EXPECT_TRUE(Expire(1000).empty());
}

TEST_F(ApicDeadlinesTest, TheNextIsTheEarliestOfAll) {
  deadlines_.Set({.time_ns = 900, .vcpu = 0, .generation = 1});
  deadlines_.Set({.time_ns = 300, .vcpu = 63, .generation = 1});
  deadlines_.Set({.time_ns = 600, .vcpu = 7, .generation = 1});
  EXPECT_EQ(deadlines_.Next(), 300u);
}

TEST_F(ApicDeadlinesTest, WhatDoesNotFitStaysDue) {
  for (uint32_t vcpu = 0; vcpu < HV_MAX_VCPUS; ++vcpu) {
    deadlines_.Set({.time_ns = 100, .vcpu = vcpu, .generation = 1});
  }
  EXPECT_EQ(Expire(100, 40).size(), 40u);
  EXPECT_EQ(deadlines_.Next(), 100u);
  EXPECT_EQ(Expire(100, 40).size(), 24u);
}

TEST_F(ApicDeadlinesTest, AVcpuThatIsNotThereIsRefused) {
  EXPECT_FALSE(ApicDeadlines(state_, 2).Set({.time_ns = 1, .vcpu = 2, .generation = 1}));
  EXPECT_FALSE(deadlines_.Set({.time_ns = 1, .vcpu = UINT32_MAX, .generation = 1}));
}

}  // namespace
}  // namespace hv::timer
