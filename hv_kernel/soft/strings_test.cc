// String instructions: inline where they stay in a page each way, by their handlers elsewhere.
#include "gtest/gtest.h"
#include "hv_kernel/soft/test_machine.h"

namespace hv::soft {
namespace {

class StringsTest : public testing::Test {
 protected:
  TestMachine m_;
};

TEST_F(StringsTest, RepeatedStringsCopyAndFill) {
  m_.LoadCode({0xf3, 0x48, 0xa5,  // rep movsq
               0xf4});
  for (int i = 0; i < 1000; ++i) m_.Poke<uint64_t>(TestMachine::kData + i * 8, i);
  m_.gpr(HV_RSI) = TestMachine::kData;
  m_.gpr(HV_RDI) = TestMachine::kData + 0x10004;
  m_.gpr(HV_RCX) = 1000;
  EXPECT_EQ(m_.Run().reason, ExitReason::kHalt);
  EXPECT_EQ(m_.gpr(HV_RCX), 0u);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(m_.Peek<uint64_t>(TestMachine::kData + 0x10004 + i * 8), static_cast<uint64_t>(i));
  }
}

// Eight words from the data's start plus `from` to it plus `to`; how many times C++ had to help.
uint64_t HelpedToCopy(TestMachine& m, uint64_t from, uint64_t to) {
  constexpr uint64_t kWords = 8;
  m.LoadCode({0x8a, 0x06, 0x88, 0x07,  // mov al, [rsi]; mov [rdi], al: the TLB knows both
              0xf3, 0x48, 0xa5,        // rep movsq
              0xf4});
  for (uint64_t i = 0; i < kWords; ++i) {
    m.Poke<uint64_t>(TestMachine::kData + from + i * 8, from + i);
  }
  m.state().rip = TestMachine::kCode;
  m.gpr(HV_RSI) = TestMachine::kData + from;
  m.gpr(HV_RDI) = TestMachine::kData + to;
  m.gpr(HV_RCX) = kWords;
  const uint64_t before = m.Counter("handler_movsq");
  EXPECT_EQ(m.Run().reason, ExitReason::kHalt);
  EXPECT_EQ(m.gpr(HV_RSI), TestMachine::kData + from + kWords * 8);
  EXPECT_EQ(m.gpr(HV_RDI), TestMachine::kData + to + kWords * 8);
  EXPECT_EQ(m.gpr(HV_RCX), 0u);
  for (uint64_t i = 0; i < kWords; ++i) {
    EXPECT_EQ(m.Peek<uint64_t>(TestMachine::kData + to + i * 8), from + i);
  }
  return m.Counter("handler_movsq") - before;
}

TEST_F(StringsTest, RepeatedStringsWithinPagesNeedNoHandler) {
  EXPECT_EQ(HelpedToCopy(m_, 0x20, 0x1020), 0u);
  EXPECT_EQ(HelpedToCopy(m_, 0xfc0, 0x1fc0), 0u) << "up to the end of both pages";
  EXPECT_EQ(HelpedToCopy(m_, 0xfc1, 0x2000), 1u) << "the source reaches into the next page";
  EXPECT_EQ(HelpedToCopy(m_, 0x20, 0x1fc1), 1u) << "the target reaches into the next page";
}

TEST_F(StringsTest, ARepeatedStringThatNeedsItsHandlerBeginsAnew) {
  constexpr uint64_t kDown = TestMachine::kData + 0x800;
  m_.LoadCode({0xaa,              // stosb: the TLB knows the page
               0xfd,              // std
               0xf3, 0x48, 0xab,  // rep stosq
               0x9c, 0x5b,        // pushf; pop rbx
               0xf4});
  m_.gpr(HV_RDI) = kDown;
  m_.gpr(HV_RAX) = 0x1122334455667788;
  m_.gpr(HV_RCX) = 3;
  EXPECT_EQ(m_.Run().reason, ExitReason::kHalt);
  EXPECT_EQ(m_.gpr(HV_RDI), kDown + 1 - 24);
  EXPECT_EQ(m_.gpr(HV_RCX), 0u);
  EXPECT_EQ(m_.Peek<uint64_t>(kDown + 1 - 16), 0x1122334455667788u);
  EXPECT_EQ(m_.Peek<uint64_t>(kDown + 1 - 24), 0u);
}

// 2^61 words are no bytes modulo 2^64.
TEST_F(StringsTest, ACountThatWrapsIsNotTakenForASmallOne) {
  m_.LoadCode({0xaa, 0xf3, 0x48, 0xab, 0xf4});  // stosb; rep stosq; hlt
  m_.gpr(HV_RDI) = TestMachine::kData;
  m_.gpr(HV_RCX) = (uint64_t{1} << 61) + 2;
  EXPECT_EQ(m_.Run().reason, ExitReason::kMmioWrite);  // where RAM ends
  EXPECT_EQ(m_.gpr(HV_RCX) >> 60, 1u);
}

TEST_F(StringsTest, FlagsLiveAcrossARepeatedStringSurviveIt) {
  m_.LoadCode({0xaa,              // stosb
               0x48, 0x39, 0xc0,  // cmp rax, rax
               0xf3, 0xaa,        // rep stosb
               0x0f, 0x94, 0xc3,  // setz bl
               0xf4});
  m_.gpr(HV_RDI) = TestMachine::kData;
  m_.gpr(HV_RCX) = 5;
  EXPECT_EQ(m_.Run().reason, ExitReason::kHalt);
  EXPECT_EQ(m_.gpr(HV_RBX), 1u);
  EXPECT_EQ(m_.Counter("handler_stosb"), 1u);
}

TEST_F(StringsTest, StringsTakeTheirSourceFromTheSegmentTheyName) {
  constexpr uint64_t kBase = 0x1000;
  m_.state().segment[HV_FS].base = kBase;
  for (uint8_t i = 0; i < 8; ++i) m_.Poke<uint8_t>(TestMachine::kData + kBase + i, 0x40 + i);
  m_.LoadCode({0xf3, 0x64, 0xa4,  // rep movsb from FS
               0x64, 0xac,        // lodsb from FS
               0x88, 0xc2,        // mov dl, al
               0xb0, 0x04,        // mov al, 4
               0x64, 0xd7,        // xlat from FS
               0xf4});
  m_.gpr(HV_RSI) = TestMachine::kData;
  m_.gpr(HV_RDI) = TestMachine::kData + 0x8000;
  m_.gpr(HV_RBX) = TestMachine::kData;
  m_.gpr(HV_RCX) = 3;
  EXPECT_EQ(m_.Run().reason, ExitReason::kHalt);
  EXPECT_EQ(m_.Peek<uint8_t>(TestMachine::kData + 0x8002), 0x42);
  EXPECT_EQ(m_.gpr(HV_RDX) & 0xff, 0x43u);
  EXPECT_EQ(m_.gpr(HV_RAX) & 0xff, 0x44u);
}

}  // namespace
}  // namespace hv::soft
