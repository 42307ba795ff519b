// The contract of engine.h: what a guest asks of devices, by ports and by memory.
#include "integration_tests/engines/engine_contract.h"

namespace hv {
namespace {

using namespace engines;  // NOLINT(google-build-using-namespace)

class DeviceContractTest : public EngineContract {};

INSTANTIATE_TEST_SUITE_P(Engines, DeviceContractTest, testing::ValuesIn(engines::kEngines),
                         [](const auto& info) { return std::string(info.param); });

// --- Ports.

TEST_P(DeviceContractTest, PortsOfEveryWidthLeaveAndAreAnswered) {
  gpr(HV_RDX) = 0x3fd;
  gpr(HV_RAX) = 0x8877665544332211;
  EXPECT_EQ(Run({0xec,        // in al, dx
                 0x66, 0xed,  // in ax, dx
                 0xed,        // in eax, dx
                 0xee,        // out dx, al
                 0x66, 0xef,  // out dx, ax
                 0xef,        // out dx, eax
                 0xe6, 0x80,  // out 0x80, al
                 0xf4}),
            PortRead(0x3fd, 1));
  vcpu().CompleteRead(0xa1);
  EXPECT_EQ(m().Continue(), PortRead(0x3fd, 2));
  EXPECT_EQ(gpr(HV_RAX), 0x88776655443322a1u);
  vcpu().CompleteRead(0xb1b2);
  EXPECT_EQ(m().Continue(), PortRead(0x3fd, 4));
  EXPECT_EQ(gpr(HV_RAX), 0x887766554433b1b2u);
  vcpu().CompleteRead(0xc1c2c3c4);
  EXPECT_EQ(m().Continue(), PortWrite(0x3fd, 1, 0xc4));
  EXPECT_EQ(m().Continue(), PortWrite(0x3fd, 2, 0xc3c4));
  EXPECT_EQ(m().Continue(), PortWrite(0x3fd, 4, 0xc1c2c3c4));
  EXPECT_EQ(m().Continue(), PortWrite(0x80, 1, 0xc4));
  EXPECT_EQ(m().Continue(), kHalt);
  EXPECT_EQ(gpr(HV_RAX), 0xc1c2c3c4u);
  EXPECT_EQ(m().state().rip, Machine::kCode + 11);
}

TEST_P(DeviceContractTest, AStringToAPortLeavesElementByElement) {
  for (uint32_t i = 0; i < 5; ++i) m().Poke<uint16_t>(Machine::kData + 2 * i, 0x1100 + i);
  gpr(HV_RDX) = 0x1f0;
  gpr(HV_RSI) = Machine::kData;
  gpr(HV_RCX) = 5;
  Exit exit = Run({0xf3, 0x66, 0x6f,  // rep outsw
                   0xf4});
  for (uint64_t i = 0; i < 5; ++i, exit = m().Continue()) {
    EXPECT_EQ(exit, PortWrite(0x1f0, 2, 0x1100 + i));
  }
  EXPECT_EQ(exit, kHalt);
  EXPECT_EQ(gpr(HV_RSI), Machine::kData + 10);
  EXPECT_EQ(gpr(HV_RCX), 0u);
}

TEST_P(DeviceContractTest, AStringFromAPortIsReadElementByElement) {
  gpr(HV_RDX) = 0x1f0;
  gpr(HV_RDI) = Machine::kData + kPage - 6;  // the second element crosses into the next page
  gpr(HV_RCX) = 5;
  Exit exit = Run({0xf3, 0x6d,  // rep insd
                   0xf4});
  for (uint64_t i = 0; i < 5; ++i, exit = m().Continue()) {
    ASSERT_EQ(exit, PortRead(0x1f0, 4));
    vcpu().CompleteRead(0x55000000 + i);
  }
  EXPECT_EQ(exit, kHalt);
  for (uint32_t i = 0; i < 5; ++i) {
    EXPECT_EQ(m().Peek<uint32_t>(Machine::kData + kPage - 6 + 4 * i), 0x55000000 + i);
  }
  EXPECT_EQ(gpr(HV_RCX), 0u);
  EXPECT_EQ(gpr(HV_RDI), Machine::kData + kPage - 6 + 20);
}

// --- Device memory.

TEST_P(DeviceContractTest, DeviceMemoryOfEveryWidthLeavesAndIsAnswered) {
  gpr(HV_RBX) = kDevice;
  gpr(HV_RAX) = 0x8877665544332211;
  EXPECT_EQ(Run({0x88, 0x03,              // mov [rbx], al
                 0x66, 0x89, 0x43, 0x02,  // mov [rbx+2], ax
                 0x89, 0x43, 0x04,        // mov [rbx+4], eax
                 0x48, 0x89, 0x43, 0x08,  // mov [rbx+8], rax
                 0x48, 0x8b, 0x4b, 0x10,  // mov rcx, [rbx+16]
                 0x0f, 0xb6, 0x53, 0x20,  // movzx edx, byte [rbx+32]
                 0xf4}),
            MmioWrite(kDevice, 1, 0x11));
  EXPECT_EQ(m().Continue(), MmioWrite(kDevice + 2, 2, 0x2211));
  EXPECT_EQ(m().Continue(), MmioWrite(kDevice + 4, 4, 0x44332211));
  EXPECT_EQ(m().Continue(), MmioWrite(kDevice + 8, 8, 0x8877665544332211));
  EXPECT_EQ(m().Continue(), MmioRead(kDevice + 16, 8));
  vcpu().CompleteRead(0x0123456789abcdef);
  EXPECT_EQ(m().Continue(), MmioRead(kDevice + 32, 1));
  vcpu().CompleteRead(0x9a);
  EXPECT_EQ(m().Continue(), kHalt);
  EXPECT_EQ(gpr(HV_RCX), 0x0123456789abcdefu);
  EXPECT_EQ(gpr(HV_RDX), 0x9au);
}

TEST_P(DeviceContractTest, AnAccessThatIsNotAlignedIsTakenApart) {
  gpr(HV_RBX) = kDevice;
  EXPECT_EQ(Run({0x8b, 0x43, 0x02, 0xf4}), MmioRead(kDevice + 2, 2));  // mov eax, [rbx + 2]
  vcpu().CompleteRead(0x3344);
  EXPECT_EQ(m().Continue(), MmioRead(kDevice + 4, 2));
  vcpu().CompleteRead(0x1122);
  EXPECT_EQ(m().Continue(), kHalt);
  EXPECT_EQ(gpr(HV_RAX), 0x11223344u);
}

TEST_P(DeviceContractTest, AnAccessAcrossPagesOfADeviceReachesBoth) {
  gpr(HV_RBX) = kDevice + kPage - 4;
  gpr(HV_RAX) = 0x8877665544332211;
  EXPECT_EQ(Run({0x48, 0x89, 0x03, 0xf4}),  // mov [rbx], rax
            MmioWrite(kDevice + kPage - 4, 4, 0x44332211));
  EXPECT_EQ(m().Continue(), MmioWrite(kDevice + kPage, 4, 0x88776655));
  EXPECT_EQ(m().Continue(), kHalt);
}

TEST_P(DeviceContractTest, AStringFromADeviceIsReadElementByElement) {
  gpr(HV_RSI) = kDevice;
  gpr(HV_RDI) = Machine::kData;
  gpr(HV_RCX) = 3;
  Exit exit = Run({0xf3, 0xa5, 0xf4});  // rep movsd
  for (uint32_t i = 0; i < 3; ++i, exit = m().Continue()) {
    ASSERT_EQ(exit, MmioRead(kDevice + 4 * i, 4));
    vcpu().CompleteRead(0x77 + i);
  }
  EXPECT_EQ(exit, kHalt);
  for (uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(m().Peek<uint32_t>(Machine::kData + 4 * i), 0x77u + i);
  }
}

TEST_P(DeviceContractTest, AReadThatModifiesReadsThenWrites) {
  gpr(HV_RBX) = kDevice;
  EXPECT_EQ(Run({0x83, 0x03, 0x05, 0xf4}), MmioRead(kDevice, 4));  // add dword [rbx], 5
  vcpu().CompleteRead(37);
  EXPECT_EQ(m().Continue(), MmioWrite(kDevice, 4, 42));
  EXPECT_EQ(m().Continue(), kHalt);
}

// The answer ends the instruction: what looks at the registers next finds it retired.
TEST_P(DeviceContractTest, AnAnsweredInstructionHasRetired) {
  gpr(HV_RBX) = kDevice;
  m().state().rflags |= kFlagIf;
  EXPECT_EQ(Run({0x8b, 0x03, 0xec, 0xf4}).reason, ExitReason::kMmioRead);
  vcpu().CompleteRead(7);
  vcpu().GetState(m().state());
  EXPECT_EQ(m().state().rip, Machine::kCode + 2);
  EXPECT_EQ(gpr(HV_RAX), 7u);
  EXPECT_TRUE(vcpu().CanTakeInterrupt());
  EXPECT_EQ(m().Continue().reason, ExitReason::kPortRead);
  vcpu().CompleteRead(8);
  vcpu().GetState(m().state());
  EXPECT_EQ(m().state().rip, Machine::kCode + 3);
  EXPECT_EQ(gpr(HV_RAX), 8u);
}

TEST_P(DeviceContractTest, AStateSetInTheMiddleOfAnAccessDropsIt) {
  gpr(HV_RDX) = 0x1f0;
  gpr(HV_RDI) = Machine::kData;
  gpr(HV_RCX) = 4;
  EXPECT_EQ(Run({0xf3, 0x6d,  // rep insd
                 0xf4})
                .reason,
            ExitReason::kPortRead);
  vcpu().CompleteRead(1);
  m().state().rip = Machine::kCode + 2;
  gpr(HV_RAX) = 5;
  EXPECT_EQ(m().Run(), kHalt);
  EXPECT_EQ(gpr(HV_RAX), 5u);
}

}  // namespace
}  // namespace hv
