// What loops that hold pages in registers (translate/held_pages.h) leave behind, however they are
// left: the guest's registers first of all, since the host's hold something else meanwhile.
#include <gtest/gtest.h>

#include <thread>

#include "hv_kernel/soft/guest_assembly.h"
#include "hv_kernel/soft/test_machine.h"

namespace hv::soft {
namespace {

namespace x86 = asmjit::x86;

constexpr uint64_t kLargePage = 2 << 20;
constexpr uint64_t kPointers = 0x380000;  // where from, where to
constexpr uint64_t kFrom = 0x400ff8, kTo = 0x600ffc;

// to[i] = from[i] + 1, the pointers loaded anew in each turn; RAX is i, RSI its end.
class HeldLoopTest : public testing::Test {
 protected:
  // `in_turn` stands at the end of each turn. It may use RDX, RCX, RDI and R10.
  void Load(
      const EmitGuestCode& in_turn,
      const EmitGuestCode& at_end = [](x86::Assembler& a) { a.hlt(); }) {
    Assemble(m_, TestMachine::kCode, [&](x86::Assembler& a) {
      const asmjit::Label again = a.newLabel();
      a.bind(again);
      a.mov(x86::rcx, x86::ptr(x86::r9));
      a.mov(x86::edx, x86::ptr(x86::rcx, x86::rax, 2));
      a.inc(x86::edx);
      a.mov(x86::rcx, x86::ptr(x86::r8));
      a.mov(x86::ptr(x86::rcx, x86::rax, 2), x86::edx);
      in_turn(a);
      a.inc(x86::rax);
      a.cmp(x86::rax, x86::rsi);
      a.jne(again);
      at_end(a);
    });
    m_.Poke<uint64_t>(kPointers, kFrom);
    m_.Poke<uint64_t>(kPointers + 8, kTo);
    for (uint64_t reg = HV_RAX; reg <= HV_R15; ++reg) m_.state().gpr[reg] = Unused(reg);
    m_.gpr(HV_RAX) = 0;
    m_.gpr(HV_R9) = kPointers;
    m_.gpr(HV_R8) = kPointers + 8;
  }

  static uint64_t Unused(uint64_t reg) { return 0x1122334400 + reg * 0x10000; }
  void ExpectUnusedRegisters() {
    for (uint64_t reg : {HV_RBX, HV_RSP, HV_RBP, HV_R12, HV_R13, HV_R14}) {
      EXPECT_EQ(m_.state().gpr[reg], Unused(reg)) << reg;
    }
  }
  void ExpectCopied(uint64_t turns) {
    for (uint64_t i = 0; i < turns; ++i) {
      ASSERT_EQ(m_.Peek<uint32_t>(kTo + i * 4), m_.Peek<uint32_t>(kFrom + i * 4) + 1) << i;
    }
    EXPECT_EQ(m_.Peek<uint32_t>(kTo + turns * 4), 0u);
  }

  TestMachine m_;
};

TEST_F(HeldLoopTest, EveryTurnFindsItsPages) {
  for (uint64_t turns : {1, 2, 3, 4, 5, 6, 7, 5000}) {
    Load([](x86::Assembler&) {});
    for (uint64_t i = 0; i < turns; ++i) {
      m_.Poke(kFrom + i * 4, static_cast<uint32_t>(i * 3));
    }
    m_.state().rip = TestMachine::kCode;
    m_.gpr(HV_RSI) = turns;
    EXPECT_EQ(m_.Run().reason, ExitReason::kHalt);
    EXPECT_EQ(m_.gpr(HV_RAX), turns);
    ExpectUnusedRegisters();
    ExpectCopied(turns);
  }
}

TEST_F(HeldLoopTest, AHostFaultInTheMiddleLeavesTheGuestsRegisters) {
  Load([](x86::Assembler& a) {  // divides by what is left
    a.mov(x86::r10, x86::rax);
    a.mov(x86::rdi, x86::rsi);
    a.sub(x86::rdi, x86::rax);
    a.sub(x86::rdi, 500);
    a.xor_(x86::edx, x86::edx);
    a.div(x86::rdi);
    a.mov(x86::rax, x86::r10);
  });
  m_.gpr(HV_RSI) = 2000;
  EXPECT_EQ(m_.Run().reason, ExitReason::kShutdown);  // there is no IDT
  EXPECT_EQ(m_.gpr(HV_RAX), 1500u);
  ExpectUnusedRegisters();
  ExpectCopied(1501);
}

TEST_F(HeldLoopTest, APageFaultInTheMiddleLeavesTheGuestsRegisters) {
  Load([](x86::Assembler&) {});
  m_.gpr(HV_RSI) = 0;  // never
  m_.Poke<uint64_t>(TestMachine::kTables + 0x2000 + (kTo / kLargePage + 1) * 8, 0);
  EXPECT_EQ(m_.Run().reason, ExitReason::kShutdown);
  const uint64_t turns = (kLargePage - kTo % kLargePage) / 4;
  EXPECT_EQ(m_.gpr(HV_RAX), turns);
  EXPECT_EQ(m_.state().cr2, kTo / kLargePage * kLargePage + kLargePage);
  ExpectUnusedRegisters();
}

TEST_F(HeldLoopTest, AttentionEndsALoopThatGoesOnWhereItWas) {
  constexpr uint64_t kStop = kPointers + 16;
  Load([](x86::Assembler&) {},
       [](x86::Assembler& a) {  // from the beginning, until it is to stop
         a.xor_(x86::eax, x86::eax);
         a.cmp(x86::dword_ptr_abs(kStop), 0);
         a.je(TestMachine::kCode);
         a.hlt();
       });
  m_.gpr(HV_RSI) = 100'000;
  constexpr uint64_t kLast = kTo + 99'999 * 4;
  for (int i = 0; i < 3; ++i) {
    m_.attention = 0;
    m_.Poke<uint32_t>(kLast, 0);
    std::thread wanting([&] {
      while (m_.Peek<uint32_t>(kLast) == 0) std::this_thread::yield();
      m_.attention = 1;
    });
    EXPECT_EQ(m_.Run().reason, ExitReason::kAttention);
    wanting.join();
    ExpectUnusedRegisters();
  }
  m_.attention = 0;
  m_.Poke<uint32_t>(kStop, 1);
  EXPECT_EQ(m_.Run().reason, ExitReason::kHalt);
  ExpectUnusedRegisters();
  ExpectCopied(100'000);
}

TEST_F(HeldLoopTest, AnEndlessLoopSeesTheAttentionWord) {
  Load([](x86::Assembler& a) { a.and_(x86::eax, 0x7f); });
  m_.gpr(HV_RSI) = 0;
  std::thread wanting([&] {
    while (m_.Peek<uint32_t>(kTo + 0x7f * 4) == 0) std::this_thread::yield();
    m_.attention = 1;
  });
  EXPECT_EQ(m_.Run().reason, ExitReason::kAttention);
  wanting.join();
  ExpectUnusedRegisters();
}

}  // namespace
}  // namespace hv::soft
