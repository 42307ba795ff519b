// What two vCPUs may see of each other's stores (Intel SDM vol. 3, 8.2; "x86-TSO", Owens et al.,
// 2009, whose names the tests have), each test run millions of times.
#include <asmjit/x86.h>
#include <gtest/gtest.h>

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

Outcomes Play(const Emit& first, const Emit& second, Outcome (*read)(const Seen&)) {
  return LitmusMachine(2).Play({first, second}, 4'000'000, 8, read);
}

Outcome OneEach(const Seen& seen) { return {seen.vcpu[0].eax, seen.vcpu[1].eax}; }
Outcome BothOfSecond(const Seen& seen) { return {seen.vcpu[1].eax, seen.vcpu[1].ebx}; }
Outcome Memory(const Seen& seen) { return {seen.x, seen.y}; }
Outcome OneEachAndX(const Seen& seen) { return {seen.vcpu[0].eax, seen.vcpu[1].eax, seen.x}; }

// SB: a store may be passed by a later load of another address, and by nothing else.
TEST(LitmusTest, StoreBuffering) {
  const auto outcomes = Play(
      [](Assembler& a) {
        a.mov(kX, 1);
        a.mov(x86::eax, kY);
      },
      [](Assembler& a) {
        a.mov(kY, 1);
        a.mov(x86::eax, kX);
      },
      OneEach);
  for (const auto& [outcome, count] : outcomes) {
    EXPECT_LE(outcome[0], 1u);
    EXPECT_LE(outcome[1], 1u);
  }
}

TEST(LitmusTest, StoreBufferingWithFences) {
  const auto fenced = [](bool x) {
    return [x](Assembler& a) {
      a.mov(x ? kX : kY, 1);
      a.mfence();
      a.mov(x86::eax, x ? kY : kX);
    };
  };
  EXPECT_FALSE(Play(fenced(true), fenced(false), OneEach).contains({0, 0}));
}

TEST(LitmusTest, StoreBufferingWithLockedInstructions) {
  const auto locked = [](bool x) {
    return [x](Assembler& a) {
      a.mov(x86::edx, 1);
      a.xchg(x ? kX : kY, x86::edx);
      a.mov(x86::eax, x ? kY : kX);
    };
  };
  EXPECT_FALSE(Play(locked(true), locked(false), OneEach).contains({0, 0}));
}

// MP: stores are seen in their order, loads are done in theirs.
TEST(LitmusTest, MessagePassing) {
  const auto outcomes = Play(
      [](Assembler& a) {
        a.mov(kX, 1);
        a.mov(kY, 1);
      },
      [](Assembler& a) {
        a.mov(x86::eax, kY);
        a.mov(x86::ebx, kX);
      },
      BothOfSecond);
  EXPECT_FALSE(outcomes.contains({1, 0}));
}

// LB: a store does not pass an earlier load.
TEST(LitmusTest, LoadBuffering) {
  const auto outcomes = Play(
      [](Assembler& a) {
        a.mov(x86::eax, kX);
        a.mov(kY, 1);
      },
      [](Assembler& a) {
        a.mov(x86::eax, kY);
        a.mov(kX, 1);
      },
      OneEach);
  EXPECT_FALSE(outcomes.contains({1, 1}));
}

// CoRR: of one variable, nobody sees an older value after a newer one; and CoWW: the last store
// stays.
TEST(LitmusTest, Coherence) {
  const auto outcomes = Play(
      [](Assembler& a) {
        a.mov(kX, 1);
        a.mov(kX, 2);
      },
      [](Assembler& a) {
        a.mov(x86::eax, kX);
        a.mov(x86::ebx, kX);
      },
      [](const Seen& seen) {
        return Outcome{seen.vcpu[1].eax, seen.vcpu[1].ebx, seen.x};
      });
  for (const auto& [outcome, count] : outcomes) {
    EXPECT_LE(outcome[0], outcome[1]);
    EXPECT_EQ(outcome[2], 2u);
  }
}

// n5: of two stores to one variable one is the last for both; who sees the other's after its own
// has lost.
TEST(LitmusTest, BothDoNotSeeTheOthersStoreLast) {
  const auto stores = [](int value) {
    return [value](Assembler& a) {
      a.mov(kX, value);
      a.mov(x86::eax, kX);
    };
  };
  const auto outcomes = Play(stores(1), stores(2), OneEachAndX);
  for (const auto& [outcome, count] : outcomes) {
    EXPECT_FALSE(outcome[0] == 2 && outcome[1] == 1);
    EXPECT_FALSE(outcome[0] == 2 && outcome[2] == 1);
    EXPECT_FALSE(outcome[1] == 1 && outcome[2] == 2);
  }
}

// n6: a vCPU sees its own store at once, before anybody else does; never an older value instead.
TEST(LitmusTest, OwnStoresAreSeenAtOnce) {
  const auto outcomes = Play(
      [](Assembler& a) {
        a.mov(kX, 1);
        a.mov(x86::eax, kX);
        a.mov(x86::ebx, kY);
      },
      [](Assembler& a) {
        a.mov(kY, 2);
        a.mov(kX, 2);
      },
      [](const Seen& seen) {
        return Outcome{seen.vcpu[0].eax, seen.vcpu[0].ebx, seen.x};
      });
  for (const auto& [outcome, count] : outcomes) {
    EXPECT_NE(outcome[0], 0u);
    // The other's X = 2 comes after its Y = 2, and what it has overwritten does not come back.
    if (outcome[0] == 2) {
      EXPECT_EQ(outcome[1], 2u);
      EXPECT_EQ(outcome[2], 2u);
    }
  }
}

// 2+2W: stores of each become visible in their order.
TEST(LitmusTest, StoresToTwoVariablesDoNotCross) {
  const auto outcomes = Play(
      [](Assembler& a) {
        a.mov(kX, 1);
        a.mov(kY, 2);
      },
      [](Assembler& a) {
        a.mov(kY, 1);
        a.mov(kX, 2);
      },
      Memory);
  EXPECT_FALSE(outcomes.contains({1, 1}));
}

}  // namespace
}  // namespace hv::soft
