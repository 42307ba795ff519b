// What leaves generated code and what does not, by exact counts.
#include "hv_kernel/soft/counters.h"

#include <gtest/gtest.h>

#include "hv_kernel/soft/test_machine.h"

namespace hv::soft {
namespace {

class CountersTest : public testing::Test {
 protected:
  // Runs it twice, since the first time everything is new; by how much the counters rose the second
  // time is asked for with Rose().
  void RunTwice(std::initializer_list<uint8_t> code) {
    m_.LoadCode(code);
    const hv_vcpu_state begin = m_.state();
    EXPECT_EQ(m_.Run().reason, ExitReason::kHalt);
    before_ = m_.engine().Counters();
    m_.state().rip = begin.rip;
    m_.state().rflags = begin.rflags;
    std::memcpy(m_.state().gpr, begin.gpr, sizeof(begin.gpr));
    EXPECT_EQ(m_.Run().reason, ExitReason::kHalt);
  }
  uint64_t Rose(std::string_view name) {
    uint64_t before = 0;
    for (const auto& counter : before_) {
      if (counter.name == name) before = counter.value;
    }
    return m_.Counter(name) - before;
  }

  TestMachine m_;
  std::vector<Engine::Counter> before_;
};

TEST_F(CountersTest, WhatKernelsDoAtEachEntryDoesNotLeave) {
  RunTwice({0xfa,              // cli
            0x9c, 0x58,        // pushfq; pop rax
            0xfc,              // cld
            0x0f, 0x01, 0xf8,  // swapgs
            0x0f, 0x01, 0xf8,  // swapgs
            0xfb, 0x90,        // sti; nop
            0xf4});            // hlt
  EXPECT_EQ(Rose("left_handler"), 1u);
  EXPECT_EQ(Rose("handler_hlt"), 1u);
  EXPECT_EQ(Rose("left_single_step"), 0u);
  EXPECT_EQ(m_.gpr(HV_RAX) & 0x200, 0u);
  EXPECT_EQ(m_.state().rflags & 0x200, 0x200u);
}

// Pages of 2 MiB, one behind the other in memory: in place, a write as well.
TEST_F(CountersTest, AnAccessAcrossTwoPagesNeedsNoSlowMode) {
  m_.gpr(HV_RBX) = TestMachine::kData + 0xffc;
  m_.gpr(HV_RCX) = 0x1122334455667788;
  RunTwice({0x48, 0x89, 0x0b,  // mov [rbx], rcx
            0x48, 0x8b, 0x03,  // mov rax, [rbx]
            0xf4});
  EXPECT_EQ(m_.gpr(HV_RAX), m_.gpr(HV_RCX));
  EXPECT_EQ(m_.Peek<uint64_t>(TestMachine::kData + 0xffc), 0x1122334455667788u);
  EXPECT_EQ(Rose("slow_instructions"), 0u);
}

TEST_F(CountersTest, OneMissFillsTheTlbForAFrame) {
  m_.gpr(HV_RBX) = TestMachine::kData;
  RunTwice({0x48, 0x89, 0x4b, 0x08,  // mov [rbx + 8], rcx
            0x48, 0x8b, 0x43, 0x10,  // mov rax, [rbx + 16]
            0x48, 0x89, 0x43, 0x18,  // mov [rbx + 24], rax
            0xf4});
  // Each run begins with an empty TLB: the shared probe fails, and the first access misses.
  EXPECT_EQ(Rose("left_tlb_miss"), 1u);
}

// Every 64th PAUSE of a loop, and none of those that stand alone.
TEST_F(CountersTest, ALoopOfPauseGivesTheCoreAway) {
  RunTwice({0xb9, 0x80, 0x02, 0, 0,  // mov ecx, 640
            0xf3, 0x90,              // 1: pause
            0xff, 0xc9,              // dec ecx
            0x75, 0xfa,              // jnz 1
            0xf4});
  EXPECT_EQ(Rose("cores_given_away"), 10u);
  RunTwice({0xb9, 0x80, 0x02, 0, 0,  // mov ecx, 640
            0xf3, 0x90, 0xf3, 0x90,  // 1: pause; pause
            0xff, 0xc9,              // dec ecx
            0x75, 0xf8,              // jnz 1
            0xf4});
  EXPECT_EQ(Rose("cores_given_away"), 0u);
}

TEST_F(CountersTest, TranslationIsAccountedFor) {
  RunTwice({0x90, 0x90, 0xf4});
  EXPECT_EQ(Rose("translated_instructions"), 0u);
  EXPECT_EQ(m_.Counter("guest_bytes"), 3u);
  EXPECT_GT(m_.Counter("metadata_bytes"), 0u);
  EXPECT_GT(m_.Counter("translating_ticks"), 0u);
}

}  // namespace
}  // namespace hv::soft
