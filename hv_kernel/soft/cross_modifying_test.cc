// Code that one vCPU changes while another runs it (Intel SDM vol. 3, 8.1.3): two vCPUs of one
// machine, each on its thread.
#include <gtest/gtest.h>

#include <thread>

#include "hv_kernel/soft/smp_machine.h"

namespace hv::soft {
namespace {

constexpr uint64_t kRunnerCode = 0x100000, kWriterCode = 0x140000;
constexpr uint64_t kFunction = 0x200000;  // mov eax, imm32; ret
constexpr uint64_t kShared = 0x300000;    // what the vCPUs tell each other

class CrossModifyingTest : public testing::Test {
 protected:
  void Load(uint64_t physical, std::initializer_list<uint8_t> bytes) {
    machine_.Load(physical, {bytes.begin(), bytes.size()});
  }
  // Runs to the HLT; the state at the end.
  hv_vcpu_state Run(size_t vcpu, uint64_t rip) {
    hv_vcpu_state state;
    EXPECT_TRUE(machine_.Run(vcpu, rip, state));
    return state;
  }

  SmpMachine machine_{2};
};

TEST_F(CrossModifyingTest, WhatOneVcpuWroteAnotherRunsAnew) {
  Load(kFunction, {0xb8, 1, 0, 0, 0, 0xc3});                   // mov eax, 1; ret
  Load(kRunnerCode, {0xbe, 0, 0, 0x20, 0, 0xff, 0xd6, 0xf4});  // mov esi, kFunction; call rsi; hlt
  Load(kWriterCode, {0xc6, 0x04, 0x25, 1, 0, 0x20, 0, 2,       // mov byte [kFunction + 1], 2
                     0xf4});
  EXPECT_EQ(Run(0, kRunnerCode).gpr[HV_RAX], 1u);
  Run(1, kWriterCode);
  EXPECT_EQ(Run(0, kRunnerCode).gpr[HV_RAX], 2u);
}

// The writer's TLB allows the store before the page is code for anybody.
TEST_F(CrossModifyingTest, AStoreByATranslationMadeBeforeIsSeen) {
  Load(kFunction, {0xb8, 1, 0, 0, 0, 0xc3});
  Load(kRunnerCode, {0xbe, 0, 0, 0x20, 0, 0xff, 0xd6, 0xf4});
  Load(kWriterCode, {0xc6, 0x04, 0x25, 1, 0, 0x20, 0, 2,  // mov byte [kFunction + 1], 2
                     0xe6, 0x80,                          // out 0x80, al
                     0xc6, 0x04, 0x25, 1, 0, 0x20, 0, 3,  // mov byte [kFunction + 1], 3
                     0xf4});
  hv_vcpu_state state = LongMode();
  state.rip = kWriterCode;
  ASSERT_TRUE(machine_.vcpu(1).SetState(state).ok());
  EXPECT_EQ(machine_.vcpu(1).Run().reason, ExitReason::kPortWrite);
  EXPECT_EQ(Run(0, kRunnerCode).gpr[HV_RAX], 2u);
  EXPECT_EQ(machine_.vcpu(1).Run().reason, ExitReason::kHalt);
  EXPECT_EQ(Run(0, kRunnerCode).gpr[HV_RAX], 3u);
}

// The writer puts n into the code, then into memory; the runner that has seen n there must run n
// (or a later one) from the code.
TEST_F(CrossModifyingTest, ARunningVcpuSeesTheCodeThatIsAnnouncedToIt) {
  constexpr uint32_t kRounds = 300;
  Load(kFunction, {0xb8, 0, 0, 0, 0, 0xc3});
  Load(kWriterCode, {0xb9, 1,    0,    0,    0,           // mov ecx, 1
                     0x89, 0x0c, 0x25, 1,    0, 0x20, 0,  // 1: mov [kFunction + 1], ecx
                     0x89, 0x0c, 0x25, 0,    0, 0x30, 0,  // mov [kShared], ecx
                     0x3b, 0x0c, 0x25, 8,    0, 0x30, 0,  // 2: cmp ecx, [kShared + 8]
                     0x75, 0xf7,                          // jne 2
                     0xff, 0xc1,                          // inc ecx
                     0x81, 0xf9, 0x2d, 0x01, 0, 0,        // cmp ecx, kRounds + 1
                     0x75, 0xdf,                          // jne 1
                     0xf4});
  Load(kRunnerCode, {0xbe, 0,    0,    0x20, 0,           // mov esi, kFunction
                     0x31, 0xdb,                          // xor ebx, ebx: mismatches
                     0x8b, 0x0c, 0x25, 0,    0, 0x30, 0,  // 1: mov ecx, [kShared]
                     0xff, 0xd6,                          // call rsi
                     0x39, 0xc8,                          // cmp eax, ecx
                     0x83, 0xd3, 0x00,                    // adc ebx, 0: below what was announced
                     0x89, 0x04, 0x25, 8,    0, 0x30, 0,  // mov [kShared + 8], eax
                     0x3d, 0x2c, 0x01, 0,    0,           // cmp eax, kRounds
                     0x75, 0xe4,                          // jne 1
                     0xf4});
  static_assert(kRounds == 0x12c);
  std::thread writer([&] { Run(1, kWriterCode); });
  const hv_vcpu_state end = Run(0, kRunnerCode);
  writer.join();
  EXPECT_EQ(end.gpr[HV_RBX], 0u);
  EXPECT_EQ(end.gpr[HV_RAX], kRounds);
}

// A loop that has the page in hand for writing (translate/held_pages.h) when it becomes code.
TEST_F(CrossModifyingTest, ALoopThatGoesOnWritingIsSeen) {
  Load(kFunction, {0xb8, 0, 0, 0, 0, 0xc3});
  Load(kWriterCode, {0xbf, 1,    0,    0x20, 0,  // mov edi, kFunction + 1
                     0xbe, 0,    0,    0x30, 0,  // mov esi, kShared
                     0xb9, 1,    0,    0,    0,  // mov ecx, 1
                     0x89, 0x0f,                 // 1: mov [rdi], ecx
                     0x89, 0x0e,                 // mov [rsi], ecx
                     0xff, 0xc1,                 // inc ecx
                     0x83, 0x7e, 0x08, 0x00,     // cmp dword [rsi + 8], 0
                     0x74, 0xf4,                 // je 1
                     0xf4});
  Load(kRunnerCode,
       {0xbe, 0,    0,    0x20, 0,                             // mov esi, kFunction
        0x31, 0xdb,                                            // xor ebx, ebx
        0xba, 0xc8, 0,    0,    0,                             // mov edx, 200
        0x81, 0x3c, 0x25, 0,    0, 0x30, 0, 0xa0, 0x86, 1, 0,  // 1: cmp [kShared], 100000
        0x72, 0xf3,                                            // jb 1
        0x8b, 0x0c, 0x25, 0,    0, 0x30, 0,                    // 2: mov ecx, [kShared]
        0xff, 0xd6,                                            // call rsi
        0x39, 0xc8,                                            // cmp eax, ecx
        0x83, 0xd3, 0x00,  // adc ebx, 0: below what was announced
        0xff, 0xca,        // dec edx
        0x75, 0xee,        // jnz 2
        0xc7, 0x04, 0x25, 8,    0, 0x30, 0, 1,    0,    0, 0,  // mov dword [kShared + 8], 1
        0xf4});
  std::thread writer([&] { Run(1, kWriterCode); });
  const hv_vcpu_state end = Run(0, kRunnerCode);
  writer.join();
  EXPECT_EQ(end.gpr[HV_RBX], 0u);
  EXPECT_GE(end.gpr[HV_RAX], 100000u);
}

// Counters beside code that both run: LOCK holds on such a page too.
TEST_F(CrossModifyingTest, LockedInstructionsOnAPageWithCodeAreAtomic) {
  constexpr uint32_t kEach = 20000;
  Load(kRunnerCode, {0xb9, 0x20, 0x4e, 0, 0,              // mov ecx, kEach
                     0xf0, 0xff, 0x05, 0xf4, 0x07, 0, 0,  // 1: lock inc dword [rip + ...]
                     0xe2, 0xf7,                          // loop 1
                     0xf4});
  static_assert(kEach == 0x4e20);
  std::thread other([&] { Run(1, kRunnerCode); });
  Run(0, kRunnerCode);
  other.join();
  EXPECT_EQ(machine_.Peek<uint32_t>(kRunnerCode + 0x800), 2 * kEach);
}

}  // namespace
}  // namespace hv::soft
