#include "hv_kernel/soft/translate/loop_registers.h"

#include <gtest/gtest.h>

namespace hv::soft {
namespace {

class LoopRegistersTest : public testing::Test {
 protected:
  void Study(const std::vector<uint8_t>& code) {
    Block block;
    block.mode = Mode(static_cast<uint32_t>(CodeMode::k64));
    EXPECT_EQ(run_.Decode(decoder_, {.first = code, .second = {}}, block), soft::Run::Result::kOk);
    registers_.Study(run_.instructions());
  }
  RegisterSet ErraticAtEnd() const {
    return registers_.erratic_before(run_.instructions().size() - 1);
  }

  const Decoder decoder_;
  soft::Run run_;
  LoopRegisters registers_;
};

TEST_F(LoopRegistersTest, HiddenAndAddressingRegistersAreUsed) {
  Study({0xf7, 0x24, 0xb3, 0xd3, 0xe7, 0xc3});  // mul [rbx + rsi * 4]; shl edi, cl; ret
  EXPECT_EQ(registers_.used() & ~RegisterBit(HV_RSP),
            RegisterBit(HV_RAX) | RegisterBit(HV_RDX) | RegisterBit(HV_RBX) | RegisterBit(HV_RSI) |
                RegisterBit(HV_RCX) | RegisterBit(HV_RDI));
  EXPECT_EQ(registers_.written() & ~RegisterBit(HV_RSP),
            RegisterBit(HV_RAX) | RegisterBit(HV_RDX) | RegisterBit(HV_RDI));
}

TEST_F(LoopRegistersTest, StepsAndSumsOfThemAreSmooth) {
  // add rax, 4; lea rdx, [rdi + rax]; add rdx, [r8]; mov rcx, [r9]; nop
  Study({0x48, 0x83, 0xc0, 4, 0x48, 0x8d, 0x14, 0x07, 0x49, 0x03, 0x10, 0x49, 0x8b, 0x09, 0x90});
  EXPECT_EQ(ErraticAtEnd(), 0);
}

TEST_F(LoopRegistersTest, WhatIsLoadedFromWhereAMovingAddressLeadsIsErratic) {
  // add rsi, 4; mov eax, [rsi]; lea rdx, [rdi + rax]; nop
  Study({0x48, 0x83, 0xc6, 4, 0x8b, 0x06, 0x48, 0x8d, 0x14, 0x07, 0x90});
  EXPECT_EQ(ErraticAtEnd(), RegisterBit(HV_RAX) | RegisterBit(HV_RDX));
  EXPECT_EQ(registers_.erratic_before(1), RegisterBit(HV_RAX) | RegisterBit(HV_RDX));
}

TEST_F(LoopRegistersTest, AnAddressMadeAnewIsNoLongerErratic) {
  // imul rdx, rcx; mov rdx, rdi; nop
  Study({0x48, 0x0f, 0xaf, 0xd1, 0x48, 0x89, 0xfa, 0x90});
  EXPECT_EQ(registers_.erratic_before(1), RegisterBit(HV_RDX));
  EXPECT_EQ(ErraticAtEnd(), 0);
}

TEST_F(LoopRegistersTest, WhatIsErraticAtTheEndIsSoInTheNextTurn) {
  // lea rdx, [rcx]; imul rcx, rcx; nop
  Study({0x48, 0x8d, 0x11, 0x48, 0x0f, 0xaf, 0xc9, 0x90});
  EXPECT_EQ(registers_.erratic_before(1), RegisterBit(HV_RCX) | RegisterBit(HV_RDX));
}

}  // namespace
}  // namespace hv::soft
