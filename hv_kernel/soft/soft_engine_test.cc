#include "hv_kernel/soft/soft_engine.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <thread>

#include "gtest/gtest.h"
#include "hv_kernel/soft/test_machine.h"

namespace hv::soft {
namespace {

class SoftEngineTest : public testing::Test {
 protected:
  TestMachine m_;
};

TEST_F(SoftEngineTest, RegistersAndFlagsComeFromTheInstructionsThemselves) {
  m_.LoadCode({0x48, 0x01, 0xd8,  // add rax, rbx
               0xf4});            // hlt
  m_.gpr(HV_RAX) = 0xffffffffffffffff;
  m_.gpr(HV_RBX) = 1;
  EXPECT_EQ(m_.Run().reason, ExitReason::kHalt);
  EXPECT_EQ(m_.gpr(HV_RAX), 0u);
  EXPECT_EQ(m_.state().rflags & 0x8d5, 0x55u);  // ZF, PF, AF, CF
  EXPECT_EQ(m_.state().rip, TestMachine::kCode + 4);
}

TEST_F(SoftEngineTest, LoadsAndStores) {
  m_.LoadCode({0x48, 0x8b, 0x03,        // mov rax, [rbx]
               0x48, 0xff, 0xc0,        // inc rax
               0x48, 0x89, 0x43, 0x08,  // mov [rbx+8], rax
               0xf4});
  m_.gpr(HV_RBX) = TestMachine::kData;
  m_.Poke<uint64_t>(TestMachine::kData, 41);
  EXPECT_EQ(m_.Run().reason, ExitReason::kHalt);
  EXPECT_EQ(m_.Peek<uint64_t>(TestMachine::kData + 8), 42u);
}

TEST_F(SoftEngineTest, RegistersKeptInMemoryBehaveLikeOthers) {
  m_.LoadCode({0x4d, 0x01, 0xda,        // add r10, r11
               0x4d, 0x0f, 0xaf, 0xfa,  // imul r15, r10
               0x4c, 0x89, 0x3c, 0x24,  // mov [rsp], r15
               0x4c, 0x03, 0x14, 0x24,  // add r10, [rsp]
               0xf4});
  m_.gpr(HV_R10) = 2;
  m_.gpr(HV_R11) = 3;
  m_.gpr(HV_R15) = 7;
  EXPECT_EQ(m_.Run().reason, ExitReason::kHalt);
  EXPECT_EQ(m_.gpr(HV_R15), 35u);
  EXPECT_EQ(m_.gpr(HV_R10), 40u);
  EXPECT_EQ(m_.Peek<uint64_t>(TestMachine::kStack), 35u);
}

TEST_F(SoftEngineTest, CallsReturnAndLoopsLoop) {
  m_.LoadCode({0xb9, 0x0a, 0x00, 0x00, 0x00,  // mov ecx, 10
               0xe8, 0x05, 0x00, 0x00, 0x00,  // call +5
               0xff, 0xc9,                    // dec ecx
               0x75, 0xf7,                    // jnz to the call
               0xf4,                          // hlt
               0x48, 0x83, 0xc0, 0x03,        // add rax, 3
               0xc3});                        // ret
  EXPECT_EQ(m_.Run().reason, ExitReason::kHalt);
  EXPECT_EQ(m_.gpr(HV_RAX), 30u);
  EXPECT_EQ(m_.gpr(HV_RSP), TestMachine::kStack);
}

TEST_F(SoftEngineTest, FlagsLiveAcrossAMemoryAccessSurviveIt) {
  m_.LoadCode({0x48, 0x39, 0xd8,    // cmp rax, rbx
               0x48, 0x8b, 0x0e,    // mov rcx, [rsi]
               0x73, 0x01,          // jae +1
               0xf4,                // hlt: below
               0xff, 0xc2, 0xf4});  // inc edx; hlt
  m_.gpr(HV_RAX) = 5;
  m_.gpr(HV_RBX) = 4;
  m_.gpr(HV_RSI) = TestMachine::kData;
  EXPECT_EQ(m_.Run().reason, ExitReason::kHalt);
  EXPECT_EQ(m_.gpr(HV_RDX), 1u);
}

TEST_F(SoftEngineTest, AccessesMayCrossPages) {
  m_.LoadCode({0x48, 0x89, 0x03,                          // mov [rbx], rax
               0x48, 0x8b, 0x13,                          // mov rdx, [rbx]
               0x48, 0x81, 0x03, 0x01, 0x00, 0x00, 0x00,  // add qword [rbx], 1
               0xf4});
  m_.gpr(HV_RAX) = 0x1122334455667788;
  m_.gpr(HV_RBX) = TestMachine::kData + 4096 - 3;
  EXPECT_EQ(m_.Run().reason, ExitReason::kHalt);
  EXPECT_EQ(m_.gpr(HV_RDX), 0x1122334455667788u);
  EXPECT_EQ(m_.Peek<uint64_t>(TestMachine::kData + 4096 - 3), 0x1122334455667789u);
}

TEST_F(SoftEngineTest, DeviceReadsLeaveAndComeBackWithTheirAnswer) {
  m_.LoadCode({0x03, 0x03,        // add eax, [rbx]
               0x89, 0x43, 0x10,  // mov [rbx+0x10], eax
               0xf4});
  m_.gpr(HV_RAX) = 1;
  m_.gpr(HV_RBX) = 0x3f000000;  // mapped, but no RAM there
  Exit exit = m_.Run();
  ASSERT_EQ(exit.reason, ExitReason::kMmioRead);
  EXPECT_EQ(exit.address, 0x3f000000u);
  EXPECT_EQ(exit.width, 4);
  EXPECT_EQ(m_.state().rip, TestMachine::kCode);
  m_.vcpu().CompleteRead(41);
  exit = m_.Continue();
  ASSERT_EQ(exit.reason, ExitReason::kMmioWrite);
  EXPECT_EQ(exit.address, 0x3f000010u);
  EXPECT_EQ(exit.data, 42u);
  EXPECT_EQ(m_.state().rip, TestMachine::kCode + 5);
  EXPECT_EQ(m_.Continue().reason, ExitReason::kHalt);
}

TEST_F(SoftEngineTest, PortsLeave) {
  m_.LoadCode({0xec,        // in al, dx
               0xe6, 0x80,  // out 0x80, al
               0xf4});
  m_.gpr(HV_RDX) = 0x3fd;
  Exit exit = m_.Run();
  ASSERT_EQ(exit.reason, ExitReason::kPortRead);
  EXPECT_EQ(exit.address, 0x3fdu);
  m_.vcpu().CompleteRead(0x60);
  exit = m_.Continue();
  ASSERT_EQ(exit.reason, ExitReason::kPortWrite);
  EXPECT_EQ(exit.data, 0x60u);
  EXPECT_EQ(m_.Continue().reason, ExitReason::kHalt);
}

TEST_F(SoftEngineTest, Cr8LeavesBothWays) {
  m_.LoadCode({0x44, 0x0f, 0x22, 0xc3,  // mov cr8, rbx
               0x45, 0x0f, 0x20, 0xc1,  // mov r9, cr8
               0xf4});
  m_.gpr(HV_RBX) = 9;
  Exit exit = m_.Run();
  EXPECT_EQ(exit.reason, ExitReason::kCr8Write);
  EXPECT_EQ(exit.data, 9u);
  m_.vcpu().CompleteWrite();
  exit = m_.Continue();
  EXPECT_EQ(exit.reason, ExitReason::kCr8Read);
  m_.vcpu().CompleteRead(5);
  EXPECT_EQ(m_.Continue().reason, ExitReason::kHalt);
  EXPECT_EQ(m_.gpr(HV_R9), 5u);
}

TEST_F(SoftEngineTest, AWriteOfTheTscLeavesWithItsNewAdjustment) {
  m_.LoadCode({0x0f, 0x30,  // wrmsr
               0xf4});
  m_.gpr(HV_RCX) = 0x3b;
  m_.gpr(HV_RAX) = 0x55667788;
  m_.gpr(HV_RDX) = 0x11223344;
  const Exit exit = m_.Run();
  EXPECT_EQ(exit.reason, ExitReason::kMsrWrite);
  EXPECT_EQ(exit.address, 0x3bu);
  EXPECT_EQ(exit.data, 0x1122334455667788u);
  m_.vcpu().CompleteWrite();
  EXPECT_EQ(m_.Continue().reason, ExitReason::kHalt);
  EXPECT_EQ(m_.state().tsc_adjust, 0x1122334455667788u);
}

TEST_F(SoftEngineTest, CodeThatIsRewrittenRunsAsRewritten) {
  m_.LoadCode({0xc6, 0x05, 0x01, 0x00, 0x00, 0x00, 0x2a,  // mov byte [rip+1], 42: the immediate
               0xb0, 0x01,                                // mov al, 1
               0xf4});
  EXPECT_EQ(m_.Run().reason, ExitReason::kHalt);
  EXPECT_EQ(m_.gpr(HV_RAX) & 0xff, 42u);
}

TEST_F(SoftEngineTest, CodeThatADeviceReplacedIsNoticed) {
  m_.LoadCode({0xb0, 0x01, 0xb4, 0x02, 0x90, 0x90, 0x90, 0x90, 0xf4});  // mov al, 1; mov ah, 2
  EXPECT_EQ(m_.Run().reason, ExitReason::kHalt);
  m_.LoadCode({0xb0, 0x03, 0xb4, 0x04, 0x90, 0x90, 0x90, 0x90, 0xf4});  // not by the engine
  m_.state().rip = TestMachine::kCode;
  EXPECT_EQ(m_.Run().reason, ExitReason::kHalt);
  EXPECT_EQ(m_.gpr(HV_RAX) & 0xffff, 0x0403u);
}

TEST_F(SoftEngineTest, TheAttentionWordEndsALoop) {
  m_.LoadCode({0xff, 0xc0,    // inc eax
               0xeb, 0xfc});  // jmp to it
  m_.attention = 1;
  EXPECT_EQ(m_.Run().reason, ExitReason::kAttention);
  EXPECT_EQ(m_.state().rip, TestMachine::kCode);
}

TEST_F(SoftEngineTest, AFaultWithoutHandlersIsAShutdown) {
  m_.LoadCode({0x48, 0xf7, 0xf3});  // div rbx, with RBX = 0
  EXPECT_EQ(m_.Run().reason, ExitReason::kShutdown);
  EXPECT_EQ(m_.state().rip, TestMachine::kCode);
}

// An IDT whose gate n leads to kCode + 0x1000 + n * 16, where there is a HLT.
void InstallHandlers(TestMachine& m) {
  constexpr uint64_t kIdt = 0x8000;
  constexpr uint64_t kGdt = 0x9000;
  m.Poke<uint64_t>(kGdt + 8, 0x00af9b000000ffff);
  m.Poke<uint64_t>(kGdt + 16, 0x00cf93000000ffff);
  for (uint64_t n = 0; n < 32; ++n) {
    const uint64_t handler = TestMachine::kCode + 0x1000 + n * 16;
    m.Poke<uint64_t>(kIdt + n * 16,
                     (handler & 0xffff) | 8 << 16 | 0x8eull << 40 | (handler >> 16 & 0xffff) << 48);
    m.Poke<uint64_t>(kIdt + n * 16 + 8, handler >> 32);
    m.Poke<uint8_t>(handler, 0xf4);
  }
  m.state().idtr = {.base = kIdt, .limit = 0xfff};
  m.state().gdtr = {.base = kGdt, .limit = 0x17};
}

uint64_t VectorTaken(TestMachine& m) {
  return (m.state().rip - 1 - TestMachine::kCode - 0x1000) / 16;
}

TEST_F(SoftEngineTest, DivisionByZeroIsPrecise) {
  InstallHandlers(m_);
  m_.LoadCode({0xff, 0xc2,          // inc edx
               0x48, 0xf7, 0xf3});  // div rbx
  EXPECT_EQ(m_.Run().reason, ExitReason::kHalt);
  EXPECT_EQ(VectorTaken(m_), 0u);
  EXPECT_EQ(m_.Peek<uint64_t>(m_.gpr(HV_RSP)), TestMachine::kCode + 2);
  EXPECT_EQ(m_.gpr(HV_RDX), 1u);
}

TEST_F(SoftEngineTest, APageFaultNamesItsAddressAndCause) {
  InstallHandlers(m_);
  m_.LoadCode({0x48, 0x89, 0x03});  // mov [rbx], rax
  m_.gpr(HV_RBX) = 0x8000000000;    // no PML4 entry
  EXPECT_EQ(m_.Run().reason, ExitReason::kHalt);
  EXPECT_EQ(VectorTaken(m_), 14u);
  EXPECT_EQ(m_.state().cr2, 0x8000000000u);
  EXPECT_EQ(m_.Peek<uint64_t>(m_.gpr(HV_RSP)), 2u);  // error code: a write, not present
  EXPECT_EQ(m_.Peek<uint64_t>(m_.gpr(HV_RSP) + 8), TestMachine::kCode);
}

TEST_F(SoftEngineTest, AMisalignedVectorAccessIsGeneralProtection) {
  InstallHandlers(m_);
  m_.LoadCode({0x0f, 0x28, 0x03});  // movaps xmm0, [rbx]
  m_.gpr(HV_RBX) = TestMachine::kData + 8;
  EXPECT_EQ(m_.Run().reason, ExitReason::kHalt);
  EXPECT_EQ(VectorTaken(m_), 13u);
}

TEST_F(SoftEngineTest, AnUnofferedInstructionIsUndefined) {
  InstallHandlers(m_);
  m_.LoadCode({0x62, 0xf1, 0x7c, 0x48, 0x58, 0xc1});  // vaddps zmm0, zmm0, zmm1
  EXPECT_EQ(m_.Run().reason, ExitReason::kHalt);
  EXPECT_EQ(VectorTaken(m_), 6u);
}

TEST_F(SoftEngineTest, AnInterruptIsTakenAfterTheInstructionThatFollowsSti) {
  InstallHandlers(m_);
  m_.LoadCode({0xfb,        // sti
               0xff, 0xc0,  // inc eax
               0xff, 0xc0,  // inc eax
               0xf4});
  m_.vcpu().RequestInterruptWindow(true);
  EXPECT_EQ(m_.Run().reason, ExitReason::kInterruptWindow);
  EXPECT_EQ(m_.gpr(HV_RAX), 1u);
  ASSERT_TRUE(m_.vcpu().CanTakeInterrupt());
  m_.vcpu().InjectInterrupt(20);
  m_.vcpu().RequestInterruptWindow(false);
  EXPECT_EQ(m_.Continue().reason, ExitReason::kHalt);
  EXPECT_EQ(VectorTaken(m_), 20u);
  EXPECT_EQ(m_.Peek<uint64_t>(m_.gpr(HV_RSP)), TestMachine::kCode + 3);
}

TEST_F(SoftEngineTest, ATrapFlagTrapsAfterOneInstruction) {
  InstallHandlers(m_);
  m_.LoadCode({0xff, 0xc0, 0xff, 0xc0});
  m_.state().rflags |= 0x100;
  EXPECT_EQ(m_.Run().reason, ExitReason::kHalt);
  EXPECT_EQ(VectorTaken(m_), 1u);
  EXPECT_EQ(m_.gpr(HV_RAX), 1u);
  EXPECT_EQ(m_.state().dr[6] & 0x4000, 0x4000u);
}

TEST_F(SoftEngineTest, VectorStateSurvivesLeaving) {
  m_.LoadCode({0x66, 0x48, 0x0f, 0x6e, 0xc0,  // movq xmm0, rax
               0xe6, 0x80,                    // out 0x80, al
               0x66, 0x48, 0x0f, 0x7e, 0xc3,  // movq rbx, xmm0
               0xf4});
  m_.gpr(HV_RAX) = 0x123456789abcdef0;
  EXPECT_EQ(m_.Run().reason, ExitReason::kPortWrite);
  EXPECT_EQ(m_.Continue().reason, ExitReason::kHalt);
  EXPECT_EQ(m_.gpr(HV_RBX), 0x123456789abcdef0u);
}

TEST_F(SoftEngineTest, BitStringsReachBeyondTheirOperand) {
  m_.LoadCode({0x48, 0x0f, 0xab, 0x03,  // bts [rbx], rax
               0xf4});
  m_.gpr(HV_RBX) = TestMachine::kData + 64;
  m_.gpr(HV_RAX) = static_cast<uint64_t>(-3);
  EXPECT_EQ(m_.Run().reason, ExitReason::kHalt);
  EXPECT_EQ(m_.Peek<uint64_t>(TestMachine::kData + 56), 1ull << 61);
}

TEST_F(SoftEngineTest, HighByteRegistersWorkWithMemory) {
  m_.LoadCode({0x8a, 0x23,        // mov ah, [rbx]
               0x88, 0x63, 0x01,  // mov [rbx+1], ah
               0xf4});
  m_.gpr(HV_RAX) = 0x1111;
  m_.gpr(HV_RBX) = TestMachine::kData;
  m_.Poke<uint8_t>(TestMachine::kData, 0x77);
  EXPECT_EQ(m_.Run().reason, ExitReason::kHalt);
  EXPECT_EQ(m_.gpr(HV_RAX), 0x7711u);
  EXPECT_EQ(m_.Peek<uint8_t>(TestMachine::kData + 1), 0x77);
}

// Only what an instruction does is a guest's exception; sanitizers end a process in their own way.
// The code of a 2 MiB page is found anew after INVLPG of any address in it, although the jump cache
// is asked first.
TEST_F(SoftEngineTest, CodeOfALargePageGoesWithThePage) {
  constexpr uint64_t kEntry = TestMachine::kTables + 0x2000 + 32 * 8;  // of 0x4000000
  constexpr uint8_t kOne[] = {0xb8, 1, 0, 0, 0, 0xc3},
                    kTwo[] = {0xb8, 2, 0, 0, 0, 0xc3};  // mov eax, ...; ret
  m_.Load(0x400000, kOne);
  m_.Load(0x600000, kTwo);
  m_.Poke<uint64_t>(kEntry, 0x4000e7);
  static_assert(kEntry == 0x3100);
  m_.LoadCode({0xbe, 0,    0,    0,    4,  // mov esi, 0x4000000
               0xff, 0xd6,                 // call rsi
               0x89, 0xc3,                 // mov ebx, eax
               0x48, 0xc7, 0x04, 0x25, 0,    0x31, 0,
               0,    0xe7, 0,    0x60, 0,              // mov [kEntry], 0x6000e7
               0x0f, 0x01, 0xbe, 0x45, 0x23, 0x01, 0,  // invlpg [rsi + 0x12345]
               0xff, 0xd6,                             // call rsi
               0xf4});
  EXPECT_EQ(m_.Run().reason, ExitReason::kHalt);
  EXPECT_EQ(m_.gpr(HV_RBX), 1u);
  EXPECT_EQ(m_.gpr(HV_RAX), 2u);
}

TEST_F(SoftEngineTest, ASignalThatSomebodySendsEndsTheProcessAndIsNoExceptionOfTheGuest) {
  m_.LoadCode({0xff, 0x03,    // inc dword [rbx]
               0xeb, 0xfc});  // jmp there
  m_.gpr(HV_RBX) = TestMachine::kData;
  const auto run_and_send = [this] {
    const pthread_t vcpu = pthread_self();
    std::thread sender([&] {
      while (m_.Peek<uint32_t>(TestMachine::kData) == 0) std::this_thread::yield();
      pthread_kill(vcpu, SIGSEGV);
    });
    (void)m_.Run();
    _exit(0);
  };
  EXPECT_EXIT(
      run_and_send(), [](int status) { return status != 0; }, "");
}

}  // namespace
}  // namespace hv::soft
