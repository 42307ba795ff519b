#include "cli/machine_exit.h"

#include <gtest/gtest.h>

#include <map>

namespace hv::cli {
namespace {

TEST(MachineExitTest, EveryCauseHasAStatusThatScriptsCanTell) {
  const std::map<hv::v1::ExitCause, int> expected{
      {hv::v1::EXIT_CAUSE_UNSPECIFIED, 10},   {hv::v1::EXIT_CAUSE_POWER_OFF, 0},
      {hv::v1::EXIT_CAUSE_RESET, 12},         {hv::v1::EXIT_CAUSE_DEBUG_EXIT, 33},
      {hv::v1::EXIT_CAUSE_TRIPLE_FAULT, 8},   {hv::v1::EXIT_CAUSE_UNSUPPORTED, 8},
      {hv::v1::EXIT_CAUSE_STOPPED, 12},       {hv::v1::EXIT_CAUSE_KERNEL_DIED, 10},
      {hv::v1::EXIT_CAUSE_INTERNAL_ERROR, 10}};
  for (int cause = 0; cause < hv::v1::ExitCause_ARRAYSIZE; ++cause) {
    hv::v1::MachineExit exit;
    exit.set_cause(static_cast<hv::v1::ExitCause>(cause));
    if (cause == hv::v1::EXIT_CAUSE_DEBUG_EXIT) exit.set_status(33);
    ASSERT_TRUE(expected.count(exit.cause())) << cause;
    EXPECT_EQ(ExitStatusOf(exit), expected.at(exit.cause())) << cause;
  }
}

TEST(MachineExitTest, OnlyAnEndThatWasNotTheGuestsWishIsExplained) {
  hv::v1::MachineExit exit;
  exit.set_message("vCPU 0: triple fault");
  exit.set_cause(hv::v1::EXIT_CAUSE_POWER_OFF);
  EXPECT_EQ(ExplainExit(exit), "");
  exit.set_cause(hv::v1::EXIT_CAUSE_TRIPLE_FAULT);
  exit.mutable_crash()->set_bytes_at_rip("\x0f\x0b");
  const std::string text = ExplainExit(exit);
  EXPECT_EQ(text.rfind("hvctl: vCPU 0: triple fault\n", 0), 0u);
  EXPECT_NE(text.find("bytes at RIP 0f 0b"), std::string::npos);
}

}  // namespace
}  // namespace hv::cli
