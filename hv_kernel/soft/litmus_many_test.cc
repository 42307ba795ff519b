// What three and four vCPUs may see of each other's stores: that there is one order of all stores,
// the same for all who look (Intel SDM vol. 3, 8.2.3.6 to 8.2.3.8; names as in "x86-TSO", Owens et
// al., 2009).
#include <asmjit/x86.h>
#include <gtest/gtest.h>

#include <thread>

#include "hv_kernel/soft/litmus_machine.h"

namespace hv::soft {
namespace {

namespace x86 = asmjit::x86;
using x86::Assembler;
using Emit = LitmusMachine::Emit;
using Outcome = LitmusMachine::Outcome;
using Outcomes = LitmusMachine::Outcomes;
using Seen = LitmusMachine::Seen;

const x86::Mem kX = LitmusMachine::X(), kY = LitmusMachine::Y();

bool ACoreEach(size_t vcpus) { return std::thread::hardware_concurrency() >= vcpus; }

Outcomes Play(const std::vector<Emit>& bodies, Outcome (*read)(const Seen&)) {
  return LitmusMachine(bodies.size())
      .Play(bodies, 2'000'000, ACoreEach(bodies.size()) ? 8 : 64, read);
}

// Between two accesses of a body. vCPUs that share a core are hardly ever between them when others
// run: there, now and then, this one gives its core away, which a loop of PAUSE does.
void MayBeInterrupted(Assembler& a, size_t vcpus) {
  if (ACoreEach(vcpus)) return;
  const asmjit::Label go_on = a.newLabel(), pause = a.newLabel();
  a.rdtsc();  // for something that differs each time
  a.test(x86::eax, 0x1e);
  a.jnz(go_on);
  a.mov(x86::edx, 64);
  a.bind(pause);
  a.pause();
  a.dec(x86::edx);
  a.jnz(pause);
  a.bind(go_on);
}

Emit Stores(const x86::Mem& variable, int value) {
  return [=](Assembler& a) { a.mov(variable, value); };
}
Emit Exchanges(const x86::Mem& variable, int value) {
  return [=](Assembler& a) {
    a.mov(x86::edx, value);
    a.xchg(variable, x86::edx);
  };
}
// The first into EBX, the second into EAX.
Emit Loads(const x86::Mem& first, const x86::Mem& second, size_t vcpus) {
  return [=](Assembler& a) {
    a.mov(x86::ebx, first);
    MayBeInterrupted(a, vcpus);
    a.mov(x86::eax, second);
  };
}
Emit LoadsThenStores(const x86::Mem& from, const x86::Mem& to) {
  return [=](Assembler& a) {
    a.mov(x86::ebx, from);
    a.mov(to, 1);
  };
}

Outcome OfThirdAndFourth(const Seen& seen) {
  return {seen.vcpu[2].ebx, seen.vcpu[2].eax, seen.vcpu[3].ebx, seen.vcpu[3].eax};
}
Outcome OfSecondAndThird(const Seen& seen) {
  return {seen.vcpu[1].ebx, seen.vcpu[2].ebx, seen.vcpu[2].eax};
}

// IRIW: two who look do not see two stores in different orders.
TEST(LitmusManyTest, IndependentReadsOfIndependentWrites) {
  const auto outcomes =
      Play({Stores(kX, 1), Stores(kY, 1), Loads(kX, kY, 4), Loads(kY, kX, 4)}, OfThirdAndFourth);
  EXPECT_FALSE(outcomes.contains({1, 0, 1, 0}));
}

TEST(LitmusManyTest, IndependentReadsOfIndependentLockedWrites) {
  const auto outcomes = Play(
      {Exchanges(kX, 1), Exchanges(kY, 1), Loads(kX, kY, 4), Loads(kY, kX, 4)}, OfThirdAndFourth);
  EXPECT_FALSE(outcomes.contains({1, 0, 1, 0}));
}

// CoIRIW: nor two stores to one variable.
TEST(LitmusManyTest, TwoStoresToOneVariableHaveOneOrderForAll) {
  const auto outcomes =
      Play({Stores(kX, 1), Stores(kX, 2), Loads(kX, kX, 4), Loads(kX, kX, 4)}, OfThirdAndFourth);
  EXPECT_FALSE(outcomes.contains({1, 2, 2, 1}));
  EXPECT_FALSE(outcomes.contains({2, 1, 1, 2}));
}

// WRC: what one has seen before its own store, who sees that store sees too.
TEST(LitmusManyTest, WriteToReadCausality) {
  const auto outcomes =
      Play({Stores(kX, 1), LoadsThenStores(kX, kY), Loads(kY, kX, 3)}, OfSecondAndThird);
  EXPECT_FALSE(outcomes.contains({1, 1, 0}));
}

// WWC: and what it has seen does not overwrite what comes after its own store.
TEST(LitmusManyTest, WriteToWriteCausality) {
  const auto outcomes =
      Play({Stores(kX, 2), LoadsThenStores(kX, kY), LoadsThenStores(kY, kX)}, [](const Seen& seen) {
        return Outcome{seen.vcpu[1].ebx, seen.vcpu[2].ebx, seen.x};
      });
  EXPECT_FALSE(outcomes.contains({2, 1, 2}));
}

// RWC, with a fence where a load could pass a store.
TEST(LitmusManyTest, ReadToWriteCausalityWithAFence) {
  const auto outcomes = Play({Stores(kX, 1), Loads(kX, kY, 3),
                              [](Assembler& a) {
                                a.mov(kY, 1);
                                a.mfence();
                                a.mov(x86::eax, kX);
                              }},
                             [](const Seen& seen) {
                               return Outcome{seen.vcpu[1].ebx, seen.vcpu[1].eax, seen.vcpu[2].eax};
                             });
  EXPECT_FALSE(outcomes.contains({1, 0, 0}));
}

// Every addition of four counts.
TEST(LitmusManyTest, LockedAdditionsAreNotLost) {
  static constexpr uint32_t kEach = 500'000, kVcpus = 4;
  static constexpr uint64_t kCounter = 0x400003;  // at any alignment inside a line
  LitmusMachine machine(kVcpus);
  std::vector<uint64_t> rips;
  for (size_t vcpu = 0; vcpu < kVcpus; ++vcpu) {
    rips.push_back(machine.Place(vcpu, [](Assembler& a) {
      const asmjit::Label next = a.newLabel();
      a.mov(x86::ecx, kEach);
      a.bind(next);
      a.lock().inc(x86::dword_ptr_abs(kCounter));
      a.mov(x86::eax, 1);
      a.lock().xadd(x86::dword_ptr_abs(kCounter), x86::eax);
      a.dec(x86::ecx);
      a.jnz(next);
      a.hlt();
    }));
  }
  std::vector<hv_vcpu_state> ends;
  ASSERT_TRUE(machine.RunAll(rips, ends));
  EXPECT_EQ(machine.Peek<uint32_t>(kCounter), 2 * kEach * kVcpus);
}

}  // namespace
}  // namespace hv::soft
