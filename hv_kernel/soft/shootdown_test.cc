// Page tables that one vCPU changes while others use what they said before (Intel SDM vol.
// 3, 4.10.5): after its INVLPG none of them does so any more.
#include <asmjit/x86.h>
#include <gtest/gtest.h>

#include "hv_kernel/soft/guest_assembly.h"
#include "hv_kernel/soft/ipi_machine.h"
#include "hv_kernel/soft/smp_machine.h"

namespace hv::soft {
namespace {

namespace x86 = asmjit::x86;
using x86::Assembler;

constexpr uint64_t kLinear = 0x40000000;                  // the second GiB
constexpr uint64_t kDirectory = 0x6000, kTable = 0x7000;  // its page tables

void MapPage(TestMemory& memory, uint64_t physical) {
  memory.Poke<uint64_t>(TestMemory::kTables + 0x1000 + 8, kDirectory | 7);
  memory.Poke<uint64_t>(kDirectory, kTable | 7);
  memory.Poke<uint64_t>(kTable, physical | 7);
}

// One vCPU writes a function to the page that is not in use, maps that one instead, and asks the
// other for an INVLPG, as kernels do by interrupt. What the other runs from then on is the new one.
TEST(ShootdownTest, CodeAndPageTablesThatChangeUnderARunningVcpu) {
  static constexpr uint32_t kChanges = 3000;
  constexpr uint64_t kFunctions[] = {0x500000, 0x503000};  // mov eax, imm32; ret
  constexpr uint64_t kAsked = 0x300100, kAnswered = 0x300140;
  SmpMachine machine(2);
  MapPage(machine, kFunctions[0]);
  constexpr uint8_t kFunction[] = {0xb8, 0, 0, 0, 0, 0xc3};
  for (const uint64_t at : kFunctions) machine.Load(at, kFunction);

  const uint64_t changing = Assemble(machine, 0x100000, [&](Assembler& a) {
    const asmjit::Label next = a.newLabel(), wait = a.newLabel();
    a.mov(x86::rbx, kFunctions[0]);
    a.mov(x86::rdx, kFunctions[1]);
    a.mov(x86::ecx, 1);
    a.bind(next);
    a.xchg(x86::rbx, x86::rdx);
    a.mov(x86::dword_ptr(x86::rbx, 1), x86::ecx);
    a.lea(x86::rax, x86::ptr(x86::rbx, 7));
    a.mov(x86::qword_ptr_abs(kTable), x86::rax);
    a.mov(x86::dword_ptr_abs(kAsked), x86::ecx);
    a.bind(wait);
    a.pause();
    a.cmp(x86::dword_ptr_abs(kAnswered), x86::ecx);
    a.jne(wait);
    a.inc(x86::ecx);
    a.cmp(x86::ecx, kChanges + 1);
    a.jne(next);
    a.hlt();
  });
  const uint64_t running = Assemble(machine, 0x110000, [&](Assembler& a) {
    const asmjit::Label next = a.newLabel(), same = a.newLabel();
    a.mov(x86::esi, static_cast<uint32_t>(kLinear));
    a.xor_(x86::ebx, x86::ebx);  // results older than what was asked for; newer ones may be
    a.xor_(x86::ebp, x86::ebp);  // the last one asked for
    a.bind(next);
    a.mov(x86::ecx, x86::dword_ptr_abs(kAsked));
    a.cmp(x86::ecx, x86::ebp);
    a.je(same);
    a.invlpg(x86::ptr(x86::rsi));
    a.mov(x86::ebp, x86::ecx);
    a.bind(same);
    a.call(x86::rsi);
    a.cmp(x86::eax, x86::ebp);
    a.setb(x86::dl);
    a.movzx(x86::edx, x86::dl);
    a.add(x86::ebx, x86::edx);
    a.mov(x86::dword_ptr_abs(kAnswered), x86::eax);
    a.pause();
    a.cmp(x86::ebp, kChanges);
    a.jne(next);
    a.hlt();
  });
  std::vector<hv_vcpu_state> ends;
  ASSERT_TRUE(machine.RunAll({changing, running}, ends));
  EXPECT_EQ(ends[1].gpr[HV_RBX], 0u);
  EXPECT_EQ(ends[1].gpr[HV_RAX], kChanges);
}

class ShootdownByInterruptTest : public testing::TestWithParam<int> {};

// As kernels unmap a page: vCPU 0 maps another, interrupts all others, and when each has done its
// INVLPG in the handler, gives the old page to somebody else. The others read and write through the
// mapping all the while: none reads what is in the old page afterwards, none writes there.
TEST_P(ShootdownByInterruptTest, NobodyUsesAPageThatWasUnmapped) {
  static constexpr uint32_t kRounds = 20000;
  static constexpr uint8_t kVector = 0x40;
  static constexpr uint64_t kPages[] = {0x500000, 0x503000};
  static constexpr uint64_t kAnswers = 0x300000, kEnd = 0x300040, kReadLate = 0x300080,
                            kWrittenLate = 0x3000c0;
  static constexpr uint32_t kInUse = 1, kGivenAway = 2;
  const uint32_t others = static_cast<uint32_t>(GetParam()) - 1;
  IpiMachine machine(others + 1);
  MapPage(machine, kPages[0]);
  for (const uint64_t page : kPages) machine.Poke<uint32_t>(page, kInUse);

  machine.Handle(kVector, Assemble(machine, 0x120000, [](Assembler& a) {
                   a.invlpg(x86::ptr(x86::rsi));
                   a.lock().inc(x86::dword_ptr_abs(kAnswers));
                   a.iretq();
                 }));
  const uint64_t unmapping = Assemble(machine, 0x100000, [&](Assembler& a) {
    const asmjit::Label next = a.newLabel(), wait = a.newLabel(), look = a.newLabel();
    a.mov(x86::rbx, kPages[0]);
    a.mov(x86::rdx, kPages[1]);
    a.xor_(x86::ebp, x86::ebp);  // stores to a page that was given away
    a.mov(x86::ecx, kRounds);
    a.bind(next);
    // The page that was given away in the last round: nobody has written there. Then it is used
    // again.
    for (uint32_t other = 0; other < others; ++other) {
      a.mov(x86::eax, x86::dword_ptr(x86::rdx, static_cast<int32_t>(64 * (other + 1))));
      a.or_(x86::ebp, x86::eax);
    }
    a.mov(x86::dword_ptr(x86::rdx), kInUse);
    a.lea(x86::rax, x86::ptr(x86::rdx, 7));
    a.mov(x86::dword_ptr_abs(kAnswers), 0);
    a.mov(x86::qword_ptr_abs(kTable), x86::rax);
    a.mov(x86::al, kVector);
    a.out(IpiMachine::kPort, x86::al);
    a.bind(wait);
    a.pause();
    a.cmp(x86::dword_ptr_abs(kAnswers), others);
    a.jne(wait);
    a.mov(x86::dword_ptr(x86::rbx), kGivenAway);
    for (uint32_t other = 0; other < others; ++other) {
      a.mov(x86::dword_ptr(x86::rbx, static_cast<int32_t>(64 * (other + 1))), 0);
    }
    // Time for who comes late.
    a.mov(x86::eax, 2000);
    a.bind(look);
    a.dec(x86::eax);
    a.jnz(look);
    a.xchg(x86::rbx, x86::rdx);
    a.dec(x86::ecx);
    a.jnz(next);
    a.mov(x86::dword_ptr_abs(kEnd), 1);
    a.mov(x86::dword_ptr_abs(kWrittenLate), x86::ebp);
    a.hlt();
  });
  std::vector<uint64_t> rips{unmapping};
  for (uint32_t other = 0; other < others; ++other) {
    rips.push_back(Assemble(machine, 0x130000 + other * 0x10000, [&](Assembler& a) {
      const asmjit::Label next = a.newLabel(), good = a.newLabel();
      a.mov(x86::esi, static_cast<uint32_t>(kLinear));
      a.bind(next);
      a.mov(x86::eax, x86::dword_ptr(x86::rsi));
      a.mov(x86::dword_ptr(x86::rsi, static_cast<int32_t>(64 * (other + 1))), 1);
      a.cmp(x86::eax, kGivenAway);
      a.jne(good);
      a.lock().inc(x86::dword_ptr_abs(kReadLate));
      a.bind(good);
      a.pause();  // with fewer cores than vCPUs another one's turn
      a.cmp(x86::dword_ptr_abs(kEnd), 0);
      a.je(next);
      a.hlt();
    }));
  }
  ASSERT_TRUE(machine.RunAll(rips));
  EXPECT_EQ(machine.Peek<uint32_t>(kReadLate), 0u);
  EXPECT_EQ(machine.Peek<uint32_t>(kWrittenLate), 0u);
}

INSTANTIATE_TEST_SUITE_P(Vcpus, ShootdownByInterruptTest, ::testing::Values(2, 4),
                         [](const auto& info) { return std::to_string(info.param); });

}  // namespace
}  // namespace hv::soft
