#include "hv_kernel/soft/translate/held_pages.h"

#include <gtest/gtest.h>

#include "hv_kernel/soft/translate/flag_liveness.h"

namespace hv::soft {
namespace {

using Part = NearAccess::Part;
using Step = HeldAccess::Step;

const Mode kLoop =
    Mode(static_cast<uint32_t>(CodeMode::k64) | static_cast<uint32_t>(TlbIndex::kSupervisor) << 2)
        .Loop();

class HeldPagesTest : public testing::Test {
 protected:
  // Of the loop that the code is: its first turn, and one behind it.
  struct Planned {
    std::vector<HeldAccess> first;
    std::vector<HeldAccess> later;
    RegisterSet set_aside = 0;
  };
  Planned Plan(const std::vector<uint8_t>& code, Mode mode = kLoop) {
    Block block;
    block.mode = mode;
    EXPECT_EQ(run_.Decode(decoder_, {.first = code, .second = {}}, block), soft::Run::Result::kOk);
    const size_t head = HeldPages::HeadOf(run_, mode);
    if (head == 0) return {};
    const auto run = run_.instructions();
    held_.Plan(run, head, liveness_.Before(run, mode), sharing_.Plan(run, mode, head));
    Planned planned{.set_aside = held_.set_aside()};
    for (size_t i = 0; i < head; ++i) {
      planned.first.push_back(held_.of(i));
      planned.later.push_back(held_.of(head + i));
    }
    return planned;
  }

  const Decoder decoder_;
  soft::Run run_;
  FlagLiveness liveness_;
  ProbeSharing sharing_;
  HeldPages held_;
};

// mov rcx, [r9]; lea rdx, [rdi + rax]; add rdx, [r8]; vmovss xmm0, [rcx + rax];
// vfmadd213ss xmm0, xmm1, [rdx]; add rax, 4; vmovss [rdx], xmm0; cmp rsi, rax; jne 0
const std::vector<uint8_t> kMatrixRow = {0x49, 0x8b, 0x09, 0x48, 0x8d, 0x14, 0x07, 0x49, 0x03,
                                         0x10, 0xc5, 0xfa, 0x10, 0x04, 0x01, 0xc4, 0xe2, 0x71,
                                         0xa9, 0x02, 0x48, 0x83, 0xc0, 0x04, 0xc5, 0xfa, 0x11,
                                         0x02, 0x48, 0x39, 0xc6, 0x75, 0xdf};

TEST_F(HeldPagesTest, EachStrandOfAccessesHasItsPage) {
  const Planned planned = Plan(kMatrixRow);
  // Two that move take two registers each, two that stay one each: all that are free.
  EXPECT_EQ(planned.set_aside, RegisterBit(HV_RBX) | RegisterBit(HV_RSP) | RegisterBit(HV_RBP) |
                                   RegisterBit(HV_R12) | RegisterBit(HV_R13) | RegisterBit(HV_R14));
  for (size_t i : {0, 2, 3, 4}) EXPECT_EQ(planned.first[i].step, Step::kFills) << i;
  EXPECT_EQ(planned.first[6].step, Step::kUses);
  EXPECT_EQ(planned.later[0].step, Step::kUses);
  EXPECT_EQ(planned.later[0].page.tag, kNoRegister);
  EXPECT_EQ(planned.later[2].step, Step::kUses);
  EXPECT_EQ(planned.later[3].step, Step::kChecks);
  EXPECT_EQ(planned.later[3].page.use, MemoryUse::kRead);
  EXPECT_EQ(planned.later[3].bytes, 4u);
  EXPECT_EQ(planned.later[4].step, Step::kChecks);
  EXPECT_EQ(planned.later[4].page.use, MemoryUse::kReadWrite);
  EXPECT_EQ(planned.later[6].step, Step::kUses);
  EXPECT_EQ(planned.later[6].page.addend, planned.later[4].page.addend);
  EXPECT_EQ(planned.later[1].part, Part::kNone);
}

TEST_F(HeldPagesTest, NothingIsHeldOutsideLoops) {
  EXPECT_EQ(Plan(kMatrixRow, Mode(static_cast<uint32_t>(CodeMode::k64))).set_aside, 0);
}

TEST_F(HeldPagesTest, WhatGoesAnywhereIsNotHeld) {
  // 0: mov rax, [rax]; dec ecx; jnz 0
  EXPECT_EQ(Plan({0x48, 0x8b, 0x00, 0xff, 0xc9, 0x75, 0xf9}).set_aside, 0);
  // 0: movzx eax, byte [rsi]; inc rsi; add edx, [rdi + rax * 4]; dec ecx; jnz 0
  const Planned table =
      Plan({0x0f, 0xb6, 0x06, 0x48, 0xff, 0xc6, 0x03, 0x14, 0x87, 0xff, 0xc9, 0x75, 0xf3});
  EXPECT_TRUE(table.set_aside == 0 || table.later[2].part == Part::kNone);
}

TEST_F(HeldPagesTest, WhatSparesLittleIsNotHeld) {
  // 0: mov eax, [rdi]; add rdi, 4; cmp eax, ecx; jb 0: one probe serves all turns.
  EXPECT_EQ(Plan({0x8b, 0x07, 0x48, 0x83, 0xc7, 0x04, 0x39, 0xc8, 0x72, 0xf5}).set_aside, 0);
}

TEST_F(HeldPagesTest, RegistersThatTheLoopUsesStay) {
  // As kMatrixRow with rbx, rbp, rsp, r12, r13 and r14 in use:
  // lea rbx, [rsp + rbp]; lea r12, [r13 + r14]
  std::vector<uint8_t> busy = {0x48, 0x8d, 0x1c, 0x2c, 0x4f, 0x8d, 0x64, 0x35, 0x00};
  busy.insert(busy.end(), kMatrixRow.begin(), kMatrixRow.end() - 1);
  busy.push_back(0xd6);
  EXPECT_EQ(Plan(busy).set_aside, 0);
}

TEST_F(HeldPagesTest, AProbeThatWouldOverwriteFlagsIsNone) {
  // 0: mov rcx, [r9]; cmp [rcx + rax], 0; mov rdx, [r8]; setz [rdx + rax]; inc rax; jnz 0
  const Planned planned = Plan({0x49, 0x8b, 0x09, 0x80, 0x3c, 0x01, 0x00, 0x49, 0x8b, 0x10, 0x0f,
                                0x94, 0x04, 0x02, 0x48, 0xff, 0xc0, 0x75, 0xed});
  ASSERT_NE(planned.set_aside, 0);
  EXPECT_EQ(planned.later[1].step, Step::kChecks);
  EXPECT_EQ(planned.later[2].part, Part::kNone);  // [r8]: the first turn's probe would
  EXPECT_EQ(planned.later[3].part, Part::kNone);
}

TEST_F(HeldPagesTest, AHandlerInTheLoopPreventsIt) {
  std::vector<uint8_t> loop = kMatrixRow;
  loop.insert(loop.begin(), {0xf3, 0x90});  // pause
  loop.back() -= 2;
  EXPECT_EQ(Plan(loop).set_aside, 0);
}

}  // namespace
}  // namespace hv::soft
