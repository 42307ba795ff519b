// The contract of engine.h: interrupts and NMIs.
#include "integration_tests/engines/engine_contract.h"

namespace hv {
namespace {

using namespace engines;  // NOLINT(google-build-using-namespace)

class InterruptContractTest : public EngineContract {};

INSTANTIATE_TEST_SUITE_P(Engines, InterruptContractTest, testing::ValuesIn(engines::kEngines),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(InterruptContractTest, AnInterruptIsTakenAfterTheInstructionThatFollowsSti) {
  const std::string why = engines::WhyWindowsAreLate(GetParam());
  if (!why.empty()) GTEST_SKIP() << why;
  InstallHandlers();
  vcpu().RequestInterruptWindow(true);
  EXPECT_EQ(Run({0xfb,        // sti
                 0xff, 0xc0,  // inc eax
                 0xff, 0xc0,  // inc eax
                 0xf4}),
            kWindow);
  EXPECT_EQ(gpr(HV_RAX), 1u);
  ASSERT_TRUE(vcpu().CanTakeInterrupt());
  vcpu().InjectInterrupt(0x40);
  vcpu().RequestInterruptWindow(false);
  EXPECT_EQ(m().Continue(), kHalt);
  EXPECT_EQ(m().state().rip, After(0x40));
  EXPECT_EQ(m().Peek<uint64_t>(gpr(HV_RSP)), Machine::kCode + 3);
}

TEST_P(InterruptContractTest, AnInterruptEndsAHalt) {
  InstallHandlers();
  SetHandler(0x41, {0xff, 0xc3, 0x48, 0xcf});  // inc ebx; iretq
  EXPECT_EQ(Run({0xfb, 0xf4,                   // sti; hlt
                 0xe6, 0x80, 0xf4}),
            kHalt);
  EXPECT_EQ(m().state().rip, Machine::kCode + 2);
  ASSERT_TRUE(vcpu().CanTakeInterrupt());
  vcpu().InjectInterrupt(0x41);
  EXPECT_FALSE(vcpu().CanTakeInterrupt());
  EXPECT_EQ(m().Continue(), PortWrite(0x80, 1, 0));
  EXPECT_EQ(gpr(HV_RBX), 1u);
}

TEST_P(InterruptContractTest, NoInterruptIsTakenWithInterruptsOff) {
  EXPECT_EQ(Run({0xe6, 0x80, 0xf4}), PortWrite(0x80, 1, 0));
  EXPECT_FALSE(vcpu().CanTakeInterrupt());
  EXPECT_EQ(m().Continue(), kHalt);
  EXPECT_FALSE(vcpu().CanTakeInterrupt());
}

TEST_P(InterruptContractTest, AnInterruptBetweenTheElementsOfAStringLeavesTheRestForLater) {
  InstallHandlers();
  SetHandler(0x42, {0x48, 0xcf});  // iretq
  m().state().rflags |= kFlagIf;
  gpr(HV_RDX) = 0x80;
  gpr(HV_RSI) = Machine::kData;
  gpr(HV_RCX) = 3;
  EXPECT_EQ(Run({0xf3, 0x6e, 0xf4}), PortWrite(0x80, 1, 0));  // rep outsb
  vcpu().RequestInterruptWindow(true);
  int writes = 1;
  bool injected = false;
  Exit exit = m().Continue();
  for (int i = 0; i < 10 && exit.reason != ExitReason::kHalt; ++i, exit = m().Continue()) {
    if (exit.reason == ExitReason::kPortWrite) ++writes;
    if (injected || !vcpu().CanTakeInterrupt()) continue;
    vcpu().InjectInterrupt(0x42);
    vcpu().RequestInterruptWindow(false);
    injected = true;
  }
  EXPECT_EQ(exit, kHalt);
  EXPECT_TRUE(injected);
  EXPECT_EQ(writes, 3);
  EXPECT_EQ(gpr(HV_RCX), 0u);
}

TEST_P(InterruptContractTest, AnNmiIsTakenThoughInterruptsAreOffAndOneAtATime) {
  InstallHandlers();
  SetHandler(2, {0xff, 0xc3, 0xe6, 0x81, 0x48, 0xcf});  // inc ebx; out 0x81, al; iretq
  EXPECT_EQ(Run({0xe6, 0x80, 0xf4}), PortWrite(0x80, 1, 0));
  ASSERT_TRUE(vcpu().CanTakeNmi());
  vcpu().InjectNmi();
  EXPECT_EQ(m().Continue(), PortWrite(0x81, 1, 0));
  EXPECT_EQ(gpr(HV_RBX), 1u);
  EXPECT_EQ(m().state().nmi_blocked, 1u);
  EXPECT_EQ(m().Continue(), kHalt);
  EXPECT_EQ(m().state().nmi_blocked, 0u);
  EXPECT_EQ(m().state().rip, Machine::kCode + 3);
}

}  // namespace
}  // namespace hv
