// Kernels as people who write them run them: how hvctl run ends, and what it says when they crash.
#include <gtest/gtest.h>

#include <regex>

#include "integration_tests/engines/engines.h"
#include "integration_tests/harness/hvctl.h"

namespace hv::testing {
namespace {

std::string Kernel(const std::string& name) { return "integration_tests/boot_kernels/" + name; }

// As hvctl(1) lists them.
constexpr int kDebugExitZero = 1;
constexpr int kGuestCrashed = 8;

// On every engine that the host can run.
class OwnKernelTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const auto engine = engines::MakeEngine(GetParam());
    if (absl::IsFailedPrecondition(engine.status())) GTEST_SKIP() << engine.status().message();
    ASSERT_TRUE(engine.ok()) << engine.status();
  }
  Hvctl::Result Run(const std::string& kernel, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{"run",      "--name",       "vm",       "--debug-exit",
                                       "--kernel", Kernel(kernel), "--engine", GetParam()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return hvctl_.Run(arguments);
  }
  Hvctl hvctl_;
};

INSTANTIATE_TEST_SUITE_P(Engines, OwnKernelTest, ::testing::ValuesIn(engines::kEngines),
                         [](const auto& info) { return std::string(info.param); });

void ExpectContains(const std::string& text, const std::string& pattern) {
  EXPECT_TRUE(std::regex_search(text, std::regex(pattern))) << pattern << " is not in\n" << text;
}

TEST_P(OwnKernelTest, MultibootWithModulesLeavesByDebugExit) {
  const auto run = Run("multiboot.elf", {"--append", "quiet", "--module",
                                         Kernel("multiboot.bin") + " first argument"});
  EXPECT_EQ(run.status, kDebugExitZero) << run.errors;
  ExpectContains(run.output, R"(command=\[quiet\] modules=00000001 )");
  ExpectContains(run.output, R"(=\[first argument\])");
}

TEST_P(OwnKernelTest, PvhKernelLeavesByDebugExit) {
  const auto run = Run("pvh.elf");
  EXPECT_EQ(run.status, kDebugExitZero) << run.errors;
  ExpectContains(run.output, "pvh: magic=336ec578");
}

// The INTA of a vector comes before whatever its handler asks of the 8259.
TEST_P(OwnKernelTest, TimerInterruptsThroughThe8259AreInServiceUntilTheirEnd) {
  if (const std::string why = engines::WhyRingZeroIsIncomplete(GetParam()); !why.empty()) {
    GTEST_SKIP() << why;
  }
  const auto run = Run("legacy_timer.elf");
  EXPECT_EQ(run.status, kDebugExitZero) << run.errors;
  ExpectContains(run.output,
                 "ticks=000007d0 not in service=00000000 in service after the end=00000000 "
                 "unexpected=00000000 end");
}

TEST_P(OwnKernelTest, TripleFaultStopsTheMachineAndSaysWhere) {
  const auto run = Run("triple_fault.elf");
  EXPECT_EQ(run.status, kGuestCrashed);
  ExpectContains(run.output, "crash: $");
  ExpectContains(run.errors, "triple fault");
  ExpectContains(run.errors, "rbx +(0x)?0*12345678");
  ExpectContains(run.errors, "0f 0b");           // the bytes at RIP: UD2
  ExpectContains(run.errors, "port_read.*3fd");  // the last exits; a write to COM1 need not be one
}

TEST(SoftEngineTest, WhatTheEngineDoesNotRunStopsTheMachineAndSaysWhat) {
  Hvctl hvctl;
  const auto run = hvctl.Run({"run", "--name", "vm", "--engine", "soft", "--debug-exit", "--kernel",
                              Kernel("task_switch.elf")});
  EXPECT_EQ(run.status, kGuestCrashed);
  ExpectContains(run.errors, "an instruction the engine cannot run.*\\(jmp\\)");
  ExpectContains(run.errors, "ea 00 00 00 00 08 00");
}

TEST_P(OwnKernelTest, ACrashEndsThatMachineAlone) {
  ASSERT_EQ(hvctl_
                .Run({"run", "--name", "other", "--detach", "--debug-exit", "--engine", GetParam(),
                      "--kernel", Kernel("triple_fault.elf")})
                .status,
            0);
  EXPECT_EQ(hvctl_.Run({"wait", "other"}).status, kGuestCrashed);
  EXPECT_EQ(Run("multiboot.elf").status, kDebugExitZero);
  ExpectContains(hvctl_.Run({"inspect", "other"}).output, "triple fault");
  EXPECT_TRUE(Parts(hvctl_.HvdPid()).empty());
}

}  // namespace
}  // namespace hv::testing
