#include "hv_kernel/soft/translate/run.h"

#include <gtest/gtest.h>

namespace hv::soft {
namespace {

const Mode k64(static_cast<uint32_t>(CodeMode::k64) | static_cast<uint32_t>(TlbIndex::kSupervisor)
                                                          << 2);

class RunTest : public testing::Test {
 protected:
  // Offsets of the instructions in their order.
  std::vector<uint32_t> Decode(const std::vector<uint8_t>& code, Mode mode) {
    Block block;
    block.mode = mode;
    EXPECT_EQ(run_.Decode(decoder_, {.first = code, .second = {}}, block), soft::Run::Result::kOk);
    std::vector<uint32_t> offsets;
    for (const RunInstruction& instruction : run_.instructions()) {
      offsets.push_back(instruction.offset);
    }
    return offsets;
  }
  Onward OnwardOf(size_t i) const { return run_.instructions()[i].onward; }

  const Decoder decoder_;
  soft::Run run_;
};

using Offsets = std::vector<uint32_t>;

TEST_F(RunTest, AStraightRunEndsAtTheFirstJump) {
  EXPECT_EQ(Decode({0x90, 0x74, 0x01, 0x90, 0xc3}, k64), (Offsets{0, 1}));  // nop; jz +1; nop; ret
  EXPECT_EQ(OnwardOf(0), Onward::kNext);
  EXPECT_EQ(OnwardOf(1), Onward::kOut);
}

TEST_F(RunTest, ALoopGoesAroundAndLeavesAtTheEnd) {
  // inc eax; dec ecx; jnz 0; ret
  const std::vector<uint8_t> loop = {0xff, 0xc0, 0xff, 0xc9, 0x75, 0xfa, 0xc3};
  EXPECT_EQ(Decode(loop, k64.Loop()), (Offsets{0, 2, 4, 0, 2, 4, 0, 2, 4, 0, 2, 4}));
  EXPECT_EQ(OnwardOf(2), Onward::kTaken);
  EXPECT_EQ(OnwardOf(11), Onward::kOut);
  EXPECT_EQ(run_.bytes(), 6u);
  EXPECT_EQ(Decode(loop, k64), (Offsets{0, 2, 4}));
}

TEST_F(RunTest, ALoopGoesOnBehindConditionalJumpsAndThroughDirectOnes) {
  // 0: jz 3; 2: nop; 3: jmp 6; 5: ud0...; 6: nop; 7: jmp 0
  EXPECT_EQ(Decode({0x74, 0x01, 0x90, 0xeb, 0x01, 0x06, 0x90, 0xeb, 0xf7}, k64.Loop()),
            (Offsets{0, 2, 3, 6, 7, 0, 2, 3, 6, 7, 0, 2, 3, 6, 7, 0, 2, 3, 6, 7}));
  EXPECT_EQ(OnwardOf(0), Onward::kNext);
  EXPECT_EQ(OnwardOf(2), Onward::kTaken);
  EXPECT_EQ(OnwardOf(4), Onward::kTaken);
}

// NOPs and a jump back to the first.
std::vector<uint8_t> LoopOf(size_t nops) {
  std::vector<uint8_t> loop(nops + 2, 0x90);
  loop[nops] = 0xeb;
  loop[nops + 1] = static_cast<uint8_t>(-static_cast<int>(nops) - 2);
  return loop;
}

TEST_F(RunTest, ALongLoopHasFewerTurns) {
  EXPECT_EQ(Decode(LoopOf(60), k64.Loop()).size(), 2 * 61u);
  EXPECT_EQ(Decode(LoopOf(100), k64.Loop()).size(), 101u);
}

TEST_F(RunTest, WhatIsNoInstructionEndsIt) {
  EXPECT_EQ(Decode({0x74, 0x02, 0x06}, k64.Loop()), (Offsets{0}));  // jz; PUSH ES is none here
  EXPECT_TRUE(run_.ends_invalid());
  EXPECT_EQ(run_.end(), 2u);
}

TEST_F(RunTest, AnInstructionThatReachesIntoTheNextPageIsABlockByItself) {
  EXPECT_EQ(Decode({0x90, 0xb8, 1, 0}, k64), (Offsets{0}));  // nop; mov eax, ...
  EXPECT_EQ(run_.end(), 1u);
  Block block;
  block.mode = k64;
  const std::vector<uint8_t> first = {0xb8, 1, 0}, second = {0, 0, 0x90};
  EXPECT_EQ(run_.Decode(decoder_, {first, {}}, block), soft::Run::Result::kNeedsNextPage);
  EXPECT_EQ(run_.Decode(decoder_, {first, second}, block), soft::Run::Result::kOk);
  EXPECT_EQ(run_.instructions().size(), 1u);
  EXPECT_EQ(run_.end(), 5u);
}

}  // namespace
}  // namespace hv::soft
