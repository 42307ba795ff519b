// Accesses to device memory and ports: what leaves, what comes back, and pages that change between
// device and RAM.
#include "gtest/gtest.h"
#include "hv_kernel/soft/test_machine.h"

namespace hv::soft {
namespace {

constexpr uint64_t kPage = 4096, kLargePage = 2 << 20;
constexpr uint64_t kDevice = 0x3f000000;  // mapped, but no RAM there
constexpr uint64_t kBefore = 0x8877665544332211;
constexpr uint64_t kPresent = 1, kWritable = 2, kUserPage = 4, kLarge = 0x80;

class DeviceAccessTest : public testing::Test {
 protected:
  DeviceAccessTest() { Begin(); }

  void Begin() {
    m_.state().rip = TestMachine::kCode;
    m_.gpr(HV_RBX) = kDevice;
    for (hv_gpr reg : {HV_RAX, HV_RDX, HV_R10}) m_.gpr(reg) = kBefore;
  }

  // One instruction that loads from [RBX], then HLT: `reg` afterwards.
  uint64_t Load(std::initializer_list<uint8_t> code, uint8_t width, uint64_t answer, hv_gpr reg) {
    Begin();
    m_.LoadCode(code);
    const Exit exit = m_.Run();
    EXPECT_EQ(exit.reason, ExitReason::kMmioRead);
    EXPECT_EQ(exit.address, kDevice);
    EXPECT_EQ(exit.width, width);
    m_.vcpu().CompleteRead(answer);
    EXPECT_EQ(m_.Continue().reason, ExitReason::kHalt);
    EXPECT_EQ(m_.state().rip, TestMachine::kCode + code.size());
    EXPECT_EQ(m_.Counter("slow_instructions"), 0u);
    return m_.gpr(reg);
  }
  // As Load for a store: the value that left.
  uint64_t Store(std::initializer_list<uint8_t> code, uint8_t width) {
    Begin();
    m_.LoadCode(code);
    const Exit exit = m_.Run();
    EXPECT_EQ(exit.reason, ExitReason::kMmioWrite);
    EXPECT_EQ(exit.address, kDevice);
    EXPECT_EQ(exit.width, width);
    EXPECT_EQ(m_.Continue().reason, ExitReason::kHalt);
    EXPECT_EQ(m_.state().rip, TestMachine::kCode + code.size());
    EXPECT_EQ(m_.Counter("slow_instructions"), 0u);
    return exit.data;
  }
  // The entry of the page directory that maps `linear`.
  static uint64_t DirectoryEntry(uint64_t linear) {
    return TestMachine::kTables + 0x2000 + linear / kLargePage * 8;
  }

  TestMachine m_;
};

TEST_F(DeviceAccessTest, ALoadWritesAsMuchOfItsRegisterAsItsWidthSays) {
  EXPECT_EQ(Load({0x8a, 0x03, 0xf4}, 1, 0xa1, HV_RAX), 0x88776655443322a1u);
  EXPECT_EQ(Load({0x66, 0x8b, 0x03, 0xf4}, 2, 0xa1a2, HV_RAX), 0x887766554433a1a2u);
  EXPECT_EQ(Load({0x8b, 0x03, 0xf4}, 4, 0xa1a2a3a4, HV_RAX), 0xa1a2a3a4u);
  EXPECT_EQ(Load({0x48, 0x8b, 0x03, 0xf4}, 8, kBefore + 1, HV_RAX), kBefore + 1);
}

TEST_F(DeviceAccessTest, ALoadReachesHighBytesAndRegistersKeptInMemory) {
  EXPECT_EQ(Load({0x8a, 0x23, 0xf4}, 1, 0xa1, HV_RAX), 0x887766554433a111u);  // mov ah, [rbx]
  EXPECT_EQ(Load({0x44, 0x8b, 0x13, 0xf4}, 4, 0xa1, HV_R10), 0xa1u);          // mov r10d, [rbx]
}

TEST_F(DeviceAccessTest, ALoadExtendsItsSignOrZeroes) {
  EXPECT_EQ(Load({0x0f, 0xb6, 0x03, 0xf4}, 1, 0x81, HV_RAX), 0x81u);  // movzx eax, byte
  EXPECT_EQ(Load({0x0f, 0xbe, 0x03, 0xf4}, 1, 0x81, HV_RAX), 0xffffff81u);
  EXPECT_EQ(Load({0x48, 0x0f, 0xbf, 0x03, 0xf4}, 2, 0x8001, HV_RAX), 0xffffffffffff8001u);
  EXPECT_EQ(Load({0x48, 0x63, 0x03, 0xf4}, 4, 0x80000001, HV_RAX), 0xffffffff80000001u);
  EXPECT_EQ(Load({0x66, 0x0f, 0xbe, 0x03, 0xf4}, 1, 0x81, HV_RAX), 0x887766554433ff81u);
}

TEST_F(DeviceAccessTest, AStoreLeavesWithItsRegisterOrConstant) {
  EXPECT_EQ(Store({0x88, 0x03, 0xf4}, 1), 0x11u);
  EXPECT_EQ(Store({0x88, 0x23, 0xf4}, 1), 0x22u);  // mov [rbx], ah
  EXPECT_EQ(Store({0x66, 0x89, 0x03, 0xf4}, 2), 0x2211u);
  EXPECT_EQ(Store({0x44, 0x89, 0x13, 0xf4}, 4), 0x44332211u);  // mov [rbx], r10d
  EXPECT_EQ(Store({0x48, 0x89, 0x03, 0xf4}, 8), kBefore);
  EXPECT_EQ(Store({0x48, 0xc7, 0x03, 0xfe, 0xff, 0xff, 0xff, 0xf4}, 8), 0xfffffffffffffffeu);
}

TEST_F(DeviceAccessTest, AMoveThatIsNotAlignedIsTakenApart) {
  m_.LoadCode({0x8b, 0x43, 0x02, 0xf4});  // mov eax, [rbx + 2]
  Exit exit = m_.Run();
  EXPECT_EQ(exit.address, kDevice + 2);
  EXPECT_EQ(exit.width, 2);
  m_.vcpu().CompleteRead(0x3344);
  exit = m_.Continue();
  EXPECT_EQ(exit.address, kDevice + 4);
  EXPECT_EQ(exit.width, 2);
  m_.vcpu().CompleteRead(0x1122);
  EXPECT_EQ(m_.Continue().reason, ExitReason::kHalt);
  EXPECT_EQ(m_.gpr(HV_RAX), 0x11223344u);
}

TEST_F(DeviceAccessTest, FlagsSurviveAMove) {
  m_.LoadCode({0xf9,              // stc
               0x8b, 0x13,        // mov edx, [rbx]
               0x89, 0x13,        // mov [rbx], edx
               0x83, 0xd0, 0x00,  // adc eax, 0
               0xf4});
  m_.gpr(HV_RAX) = 1;
  EXPECT_EQ(m_.Run().reason, ExitReason::kMmioRead);
  m_.vcpu().CompleteRead(0);
  EXPECT_EQ(m_.Continue().reason, ExitReason::kMmioWrite);
  EXPECT_EQ(m_.Continue().reason, ExitReason::kHalt);
  EXPECT_EQ(m_.gpr(HV_RAX), 2u);
}

// The answer ends the instruction: an interrupt that waits is taken after it, not before it again.
TEST_F(DeviceAccessTest, ALoadHasRetiredOnceItIsAnswered) {
  m_.LoadCode({0x8b, 0x03, 0xec, 0xf4});  // mov eax, [rbx]; in al, dx; hlt
  m_.state().rflags |= 1u << 9;
  m_.Run();
  m_.vcpu().CompleteRead(7);
  m_.vcpu().GetState(m_.state());
  EXPECT_EQ(m_.state().rip, TestMachine::kCode + 2);
  EXPECT_EQ(m_.gpr(HV_RAX), 7u);
  EXPECT_TRUE(m_.vcpu().CanTakeInterrupt());
  EXPECT_EQ(m_.Continue().reason, ExitReason::kPortRead);
  m_.vcpu().CompleteRead(8);
  m_.vcpu().GetState(m_.state());
  EXPECT_EQ(m_.state().rip, TestMachine::kCode + 3);
  EXPECT_EQ(m_.gpr(HV_RAX), 8u);
}

TEST_F(DeviceAccessTest, APageThatTheGuestMapsToRamIsNotTakenForADevice) {
  m_.LoadCode({0x8b, 0x03,                       // mov eax, [rbx]: a device
               0x48, 0xc7, 0x01, 0xe7, 0, 0, 0,  // mov qword [rcx], 0xe7: RAM at 0
               0x0f, 0x01, 0x3b,                 // invlpg [rbx]
               0x8b, 0x13,                       // mov edx, [rbx]
               0xc7, 0x03, 0x05, 0,    0, 0,     // mov dword [rbx], 5
               0xf4});
  m_.gpr(HV_RCX) = DirectoryEntry(kDevice);
  m_.Poke<uint32_t>(0, 42);
  EXPECT_EQ(m_.Run().reason, ExitReason::kMmioRead);
  m_.vcpu().CompleteRead(1);
  EXPECT_EQ(m_.Continue().reason, ExitReason::kHalt);
  EXPECT_EQ(m_.gpr(HV_RDX), 42u);
  EXPECT_EQ(m_.Peek<uint32_t>(0), 5u);
}

TEST_F(DeviceAccessTest, APageThatTheGuestMapsToADeviceIsNotTakenForRam) {
  m_.LoadCode({0x8b, 0x13,                          // mov edx, [rbx]: RAM
               0x48, 0x89, 0x01,                    // mov [rcx], rax
               0x0f, 0x20, 0xda, 0x0f, 0x22, 0xda,  // mov rdx, cr3; mov cr3, rdx
               0x89, 0x03,                          // mov [rbx], eax
               0xf4});
  m_.gpr(HV_RBX) = TestMachine::kData;
  m_.gpr(HV_RCX) = DirectoryEntry(TestMachine::kData);
  m_.gpr(HV_RAX) = kDevice | kPresent | kWritable | kUserPage | kLarge;
  const Exit exit = m_.Run();
  EXPECT_EQ(exit.reason, ExitReason::kMmioWrite);
  EXPECT_EQ(exit.address, kDevice);
  EXPECT_EQ(m_.Continue().reason, ExitReason::kHalt);
}

TEST_F(DeviceAccessTest, APageThatComesToHoldRamIsNotTakenForADevice) {
  m_.LoadCode({0x8b, 0x03, 0x8b, 0x13, 0xf4});  // mov eax, [rbx]; mov edx, [rbx]; hlt
  EXPECT_EQ(m_.Run().reason, ExitReason::kMmioRead);
  m_.vcpu().CompleteRead(1);
  const hv_memory_slot slots[] = {
      {.address = 0, .bytes = TestMachine::kRamBytes - kPage},
      {.address = kDevice, .bytes = kPage, .offset = TestMachine::kRamBytes - kPage}};
  ASSERT_TRUE(m_.engine().SetMemory(slots, m_.ram(), nullptr).ok());
  m_.Poke<uint32_t>(TestMachine::kRamBytes - kPage, 42);
  EXPECT_EQ(m_.Continue().reason, ExitReason::kHalt);
  EXPECT_EQ(m_.gpr(HV_RDX), 42u);
}

TEST_F(DeviceAccessTest, APageThatMayOnlyBeReadRefusesWritesAfterReads) {
  m_.LoadCode({0x8b, 0x03, 0x89, 0x03, 0xf4});  // mov eax, [rbx]; mov [rbx], eax
  m_.Poke<uint64_t>(DirectoryEntry(kDevice), kDevice | kPresent | kLarge);
  EXPECT_EQ(m_.Run().reason, ExitReason::kMmioRead);
  m_.vcpu().CompleteRead(1);
  EXPECT_EQ(m_.Continue().reason, ExitReason::kShutdown);  // #PF, and no IDT
  EXPECT_EQ(m_.state().cr2, kDevice);
}

// What lies in the same slot of the table of device pages is not mistaken for it.
TEST_F(DeviceAccessTest, DevicesInManyPagesAreToldApart) {
  m_.LoadCode({0x8b, 0x03,                                // mov eax, [rbx]
               0x48, 0x81, 0xc3, 0x00, 0x10, 0x00, 0x00,  // add rbx, 0x1000
               0xeb, 0xf5});                              // jmp back
  Exit exit = m_.Run();
  for (uint64_t page = 0; page < 64; ++page) {
    EXPECT_EQ(exit.address, kDevice + page * kPage);
    m_.vcpu().CompleteRead(0);
    exit = m_.Continue();
  }
}

}  // namespace
}  // namespace hv::soft
