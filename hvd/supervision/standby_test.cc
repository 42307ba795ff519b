#include "hvd/supervision/standby.h"

#include <gtest/gtest.h>

#include <optional>

#include "abi/endpoint.h"
#include "hvd/testing/fake_world.h"

namespace hv::hvd {
namespace {

constexpr uint32_t kTimer = HV_ENDPOINT(HV_ROLE_TIMER, 0);

class StandbyTest : public testing::Test {
 protected:
  EventLoop loop_;
  FakeLauncher launcher_;
  std::optional<Standby> standby_{std::in_place, loop_, launcher_, kTimer, /*log=*/2};
};

TEST_F(StandbyTest, NobodyWaitsUnlessPrepared) {
  EXPECT_EQ(standby_->pid(), 0);
  EXPECT_FALSE(standby_->Take().has_value());
  EXPECT_EQ(launcher_.launched(), 0);
}

TEST_F(StandbyTest, OneWaitsAndIsHandedOverOnce) {
  standby_->Prepare();
  standby_->Prepare();
  EXPECT_EQ(launcher_.launched(), 1);
  const pid_t pid = standby_->pid();
  const auto part = standby_->Take();
  ASSERT_TRUE(part.has_value());
  EXPECT_EQ(part->process->pid(), pid);
  EXPECT_TRUE(launcher_.Find("timer_svc")->alive());
  EXPECT_FALSE(standby_->Take().has_value());
}

TEST_F(StandbyTest, AfterOneWasTakenAnotherCanWait) {
  standby_->Prepare();
  const auto first = standby_->Take();
  standby_->Prepare();
  const auto second = standby_->Take();
  ASSERT_TRUE(second.has_value());
  EXPECT_NE(second->process->pid(), first->process->pid());
}

TEST_F(StandbyTest, OneThatDiesWhileItWaitsIsReplaced) {
  standby_->Prepare();
  const auto first = launcher_.Find("timer_svc");
  first->Die({.by_signal = true, .code = 9});
  const auto second = [&] {  // attached never: it only waits
    for (;;) {
      if (auto part = launcher_.Find("timer_svc"); part && part != first) return part;
      std::this_thread::yield();
    }
  }();
  EXPECT_TRUE(second->alive());
  EXPECT_EQ(launcher_.alive(), 1);
}

TEST_F(StandbyTest, OneCanBePreparedSoon) {
  standby_->PrepareSoon();
  standby_->PrepareSoon();
  while (launcher_.launched() == 0) std::this_thread::yield();
  standby_->PrepareSoon();
  EXPECT_TRUE(standby_->Take().has_value());
}

TEST_F(StandbyTest, WhatWasToComeDoesNotOutliveIt) {
  standby_->Prepare();
  launcher_.Find("timer_svc")->Die({.by_signal = true, .code = 9});
  while (standby_->pid() != 0) std::this_thread::yield();
  standby_->Prepare();  // while the retry after the death is still due
  standby_->PrepareSoon();
  standby_.reset();
  EXPECT_EQ(launcher_.alive(), 0);
}

TEST_F(StandbyTest, WhatCannotBeStartedLeavesNobodyWaiting) {
  launcher_.missing = {"timer_svc"};
  standby_->Prepare();
  EXPECT_FALSE(standby_->Take().has_value());
}

TEST_F(StandbyTest, TheOneThatWaitsEndsWithIt) {
  standby_->Prepare();
  standby_.reset();
  EXPECT_EQ(launcher_.alive(), 0);
}

}  // namespace
}  // namespace hv::hvd
