#include "hvd/host/immunities.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/temporary_folder.h"

namespace hv::hvd {
namespace {

class ImmunitiesTest : public testing::Test {
 protected:
  void Say(const std::string& file, const std::string& line) {
    std::ofstream(folder_.path() / file) << line << '\n';
  }
  TemporaryFolder folder_;
};

TEST_F(ImmunitiesTest, WhatTheKernelDoesNotSayIsNotSet) {
  EXPECT_EQ(HostImmunities(folder_.path()), 0u);
  EXPECT_EQ(HostImmunities(folder_.path() / "missing"), 0u);
}

TEST_F(ImmunitiesTest, OnlyNotAffectedCounts) {
  Say("meltdown", "Mitigation: PTI");
  Say("mds", "Vulnerable: Clear CPU buffers attempted, no microcode");
  Say("tsx_async_abort", "Not affected");
  Say("mmio_stale_data", "Not affected");
  Say("spectre_v1", "Not affected");  // no bit says so
  EXPECT_EQ(HostImmunities(folder_.path()), 1u << 8 | 7u << 13);
}

}  // namespace
}  // namespace hv::hvd
