// What vCPUs may see of each other's stores (Intel SDM vol. 3, 8.2; "x86-TSO", Owens et al., 2009):
// litmus tests, each run millions of times, and code and page tables that change under a vCPU that
// runs them.
#include <asmjit/x86.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <functional>
#include <map>

#include "hv_kernel/soft/smp_machine.h"

namespace hv::soft {
namespace {

namespace x86 = asmjit::x86;
using x86::Assembler;

constexpr uint64_t kCode = 0x100000, kCodeBytes = 0x10000;
constexpr uint64_t kReady = 0x300000;
// A cache line of each variable for each of the instances.
constexpr uint64_t kLine = 64, kInstances = 8192;
constexpr uint64_t kX = 0x400000, kY = kX + kLine * kInstances;
constexpr uint64_t kResults = 0x800000;  // two of 8 bytes for each vCPU and instance
constexpr int kRounds = 256;             // 2 million instances of each test

const x86::Gp kOffset = x86::rsi;  // of the instance's variables
const x86::Mem kXNow = x86::dword_ptr(kOffset, static_cast<int32_t>(kX));
const x86::Mem kYNow = x86::dword_ptr(kOffset, static_cast<int32_t>(kY));

using Body = std::function<void(Assembler&)>;
using Outcome = std::pair<uint64_t, uint64_t>;

class LitmusTest : public testing::Test {
 protected:
  uint64_t Place(size_t vcpu, const std::function<void(Assembler&)>& emit) {
    const uint64_t at = kCode + vcpu * kCodeBytes;
    asmjit::CodeHolder code;
    code.init(asmjit::Environment::host(), at);
    Assembler a(&code);
    emit(a);
    code.flatten();
    code.resolveUnresolvedLinks();
    code.relocateToBase(at);
    const asmjit::CodeBuffer& buffer = code.textSection()->buffer();
    std::memcpy(machine_.ram().data() + at, buffer.data(), buffer.size());
    return at;
  }

  // Both begin together, when both are there.
  static void EmitMeeting(Assembler& a, uint32_t vcpus) {
    const asmjit::Label wait = a.newLabel();
    a.lock().inc(x86::dword_ptr_abs(kReady));
    a.bind(wait);
    a.pause();
    a.cmp(x86::dword_ptr_abs(kReady), vcpus);
    a.jne(wait);
  }

  // The body of each vCPU for every instance: it leaves what it has read in EAX and EBX.
  uint64_t PlaceBody(size_t vcpu, const Body& body) {
    return Place(vcpu, [&](Assembler& a) {
      EmitMeeting(a, 2);
      a.xor_(kOffset.r32(), kOffset.r32());
      a.mov(x86::edi, static_cast<uint32_t>(kResults + vcpu * 16));
      a.mov(x86::ecx, static_cast<uint32_t>(kInstances));
      const asmjit::Label next = a.newLabel();
      a.bind(next);
      a.xor_(x86::eax, x86::eax);
      a.xor_(x86::ebx, x86::ebx);
      body(a);
      a.mov(x86::qword_ptr(x86::rdi), x86::rax);
      a.mov(x86::qword_ptr(x86::rdi, 8), x86::rbx);
      a.add(kOffset, static_cast<int32_t>(kLine));
      a.add(x86::rdi, 32);
      a.dec(x86::ecx);
      a.jnz(next);
      a.hlt();
    });
  }

  // How often the registers in question, as `read` takes them from both results, held which values.
  std::map<Outcome, uint64_t> Run(const Body& first, const Body& second,
                                  Outcome (*read)(const uint64_t (&results)[4])) {
    const std::vector<uint64_t> rips = {PlaceBody(0, first), PlaceBody(1, second)};
    std::map<Outcome, uint64_t> outcomes;
    for (int round = 0; round < kRounds; ++round) {
      std::memset(machine_.ram().data() + kX, 0, 2 * kLine * kInstances);
      machine_.Poke<uint32_t>(kReady, 0);
      EXPECT_TRUE(machine_.RunAll(rips, ends_));
      for (uint64_t i = 0; i < kInstances; ++i) {
        uint64_t results[4];
        std::memcpy(results, machine_.ram().data() + kResults + i * sizeof(results),
                    sizeof(results));
        ++outcomes[read(results)];
      }
    }
    for (const auto& [outcome, count] : outcomes) {
      std::printf("  %lu, %lu: %lu times\n", static_cast<unsigned long>(outcome.first),
                  static_cast<unsigned long>(outcome.second), static_cast<unsigned long>(count));
    }
    return outcomes;
  }

  SmpMachine machine_{2};
  std::vector<hv_vcpu_state> ends_;
};

Outcome OneEach(const uint64_t (&results)[4]) { return {results[0], results[2]}; }
Outcome BothOfSecond(const uint64_t (&results)[4]) { return {results[2], results[3]}; }

void StoreXLoadY(Assembler& a) {
  a.mov(kXNow, 1);
  a.mov(x86::eax, kYNow);
}
void StoreYLoadX(Assembler& a) {
  a.mov(kYNow, 1);
  a.mov(x86::eax, kXNow);
}

// SB: a store may be passed by a later load of another address, and by nothing else.
TEST_F(LitmusTest, StoreBuffering) {
  const auto outcomes = Run(StoreXLoadY, StoreYLoadX, OneEach);
  for (const auto& [outcome, count] : outcomes) {
    EXPECT_LE(outcome.first, 1u);
    EXPECT_LE(outcome.second, 1u);
  }
}

TEST_F(LitmusTest, StoreBufferingWithFences) {
  const auto fenced = [](bool x) {
    return [x](Assembler& a) {
      a.mov(x ? kXNow : kYNow, 1);
      a.mfence();
      a.mov(x86::eax, x ? kYNow : kXNow);
    };
  };
  EXPECT_FALSE(Run(fenced(true), fenced(false), OneEach).contains({0, 0}));
}

TEST_F(LitmusTest, StoreBufferingWithLockedInstructions) {
  const auto locked = [](bool x) {
    return [x](Assembler& a) {
      a.mov(x86::edx, 1);
      a.xchg(x ? kXNow : kYNow, x86::edx);
      a.mov(x86::eax, x ? kYNow : kXNow);
    };
  };
  EXPECT_FALSE(Run(locked(true), locked(false), OneEach).contains({0, 0}));
}

// MP: stores are seen in their order, loads are done in theirs.
TEST_F(LitmusTest, MessagePassing) {
  const auto outcomes = Run(
      [](Assembler& a) {
        a.mov(kXNow, 1);
        a.mov(kYNow, 1);
      },
      [](Assembler& a) {
        a.mov(x86::eax, kYNow);
        a.mov(x86::ebx, kXNow);
      },
      BothOfSecond);
  EXPECT_FALSE(outcomes.contains({1, 0}));
}

// LB: a store does not pass an earlier load.
TEST_F(LitmusTest, LoadBuffering) {
  const auto outcomes = Run(
      [](Assembler& a) {
        a.mov(x86::eax, kXNow);
        a.mov(kYNow, 1);
      },
      [](Assembler& a) {
        a.mov(x86::eax, kYNow);
        a.mov(kXNow, 1);
      },
      OneEach);
  EXPECT_FALSE(outcomes.contains({1, 1}));
}

// CoRR: of one variable, nobody sees an older value after a newer one.
TEST_F(LitmusTest, Coherence) {
  const auto outcomes = Run(
      [](Assembler& a) {
        a.mov(kXNow, 1);
        a.mov(kXNow, 2);
      },
      [](Assembler& a) {
        a.mov(x86::eax, kXNow);
        a.mov(x86::ebx, kXNow);
      },
      BothOfSecond);
  for (const auto& [outcome, count] : outcomes) EXPECT_LE(outcome.first, outcome.second);
}

// Every addition counts, at any alignment inside a line.
TEST_F(LitmusTest, LockedAdditionsAreNotLost) {
  static constexpr uint32_t kEach = 1'000'000;
  const auto emit = [](Assembler& a) {
    EmitMeeting(a, 2);
    a.mov(x86::ecx, kEach);
    const asmjit::Label next = a.newLabel();
    a.bind(next);
    a.lock().inc(x86::dword_ptr_abs(kX));
    a.mov(x86::eax, 1);
    a.lock().xadd(x86::dword_ptr_abs(kY + 3), x86::eax);
    a.dec(x86::ecx);
    a.jnz(next);
    a.hlt();
  };
  ASSERT_TRUE(machine_.RunAll({Place(0, emit), Place(1, emit)}, ends_));
  EXPECT_EQ(machine_.Peek<uint32_t>(kX), 2 * kEach);
  EXPECT_EQ(machine_.Peek<uint32_t>(kY + 3), 2 * kEach);
}

// One vCPU writes a function to the page that is not in use, maps that one instead, and asks the
// other for an INVLPG, as kernels do by interrupt. What the other runs from then on is the new one.
TEST_F(LitmusTest, CodeAndPageTablesThatChangeUnderARunningVcpu) {
  static constexpr uint32_t kChanges = 3000;
  constexpr uint64_t kLinear = 0x40000000;                  // the second GiB
  constexpr uint64_t kDirectory = 0x6000, kTable = 0x7000;  // its page tables
  constexpr uint64_t kFunctions[] = {0x500000, 0x503000};   // mov eax, imm32; ret
  constexpr uint64_t kAsked = 0x300100, kAnswered = 0x300140;
  machine_.Poke<uint64_t>(SmpMachine::kTables + 0x1000 + 8, kDirectory | 7);
  machine_.Poke<uint64_t>(kDirectory, kTable | 7);
  machine_.Poke<uint64_t>(kTable, kFunctions[0] | 7);
  constexpr uint8_t kFunction[] = {0xb8, 0, 0, 0, 0, 0xc3};
  for (const uint64_t at : kFunctions) machine_.Load(at, kFunction);

  const uint64_t changing = Place(0, [&](Assembler& a) {
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
  const uint64_t running = Place(1, [&](Assembler& a) {
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
    a.cmp(x86::ebp, kChanges);
    a.jne(next);
    a.hlt();
  });
  ASSERT_TRUE(machine_.RunAll({changing, running}, ends_));
  EXPECT_EQ(ends_[1].gpr[HV_RBX], 0u);
  EXPECT_EQ(ends_[1].gpr[HV_RAX], kChanges);
}

}  // namespace
}  // namespace hv::soft
