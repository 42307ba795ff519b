// Whole programs against the host CPU, undisturbed and with interrupts at any of their blocks. What
// fails is made smaller as long as it fails, and printed.
#include "hv_kernel/soft/differential/program.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <functional>
#include <random>
#include <thread>

#include "hv_kernel/soft/differential/disassemble.h"
#include "hv_kernel/soft/differential/guest_run.h"
#include "hv_kernel/soft/differential/machine_state.h"
#include "hv_kernel/soft/differential/native_run.h"
#include "hv_kernel/soft/differential/random_state.h"

namespace hv::soft::differential {
namespace {

#ifdef __SANITIZE_THREAD__  // makes the engine some thirty times slower
constexpr int kPrograms = 400;
#else
constexpr int kPrograms = 4000;
#endif
constexpr uint32_t kBreakpoint = 3;

// The smallest program near to `program` for which `fails` holds; it holds for `program`.
Program Shrink(Program program, const std::function<bool(const Program&)>& fails) {
  for (bool smaller = true; smaller;) {
    smaller = false;
    for (Program& candidate : Smaller(program)) {
      if (!fails(candidate)) continue;
      program = std::move(candidate);
      smaller = true;
      break;
    }
  }
  return program;
}

class ProgramTest : public testing::Test {
 protected:
  struct Outcome {
    uint32_t vector = 0;
    std::string difference;
    std::string code;
  };

  // From the same registers and memory for each of a program's smaller ones.
  Outcome RunBothWays(const Program& program) {
    const size_t room = Assemble(program, kCodeFirst).size() + 64;
    if (used_ + room > kCodeBytes) {
      guest_.ForgetCode();
      used_ = 0;
    }
    const uint64_t address = kCodeFirst + used_;
    const std::vector<uint8_t> bytes = Assemble(program, address);
    std::memcpy(&native_.code()[used_], bytes.data(), bytes.size());
    std::memcpy(&guest_.code()[used_], bytes.data(), bytes.size());
    used_ += room;
    std::mt19937_64 random(program.seed);
    const MachineState begin = RandomState(random, address, CodeWidth::k64);
    const std::vector<uint8_t> memory = RandomMemory(random);
    const Ending native = native_.Run(begin, memory);
    Outcome outcome{.vector = native.vector, .difference = {}, .code = {}};
    const Ending engine = guest_.Run(begin, memory, outcome.difference);
    if (outcome.difference.empty()) outcome.difference = Compare(native, engine);
    if (!outcome.difference.empty()) outcome.code = Disassemble(bytes, address, CodeWidth::k64);
    return outcome;
  }

  // Returns how many ran to their ends.
  int Check(uint64_t seed) {
    std::mt19937_64 random(seed);
    int to_the_end = 0;
    for (int i = 0; i < kPrograms; ++i) {
      const Program program = RandomProgram(random);
      const Outcome outcome = RunBothWays(program);
      to_the_end += outcome.vector == kBreakpoint;
      if (outcome.difference.empty()) continue;
      Outcome shown = outcome;  // of the smallest that has failed
      Shrink(program, [&](const Program& smaller) {
        const Outcome now = RunBothWays(smaller);
        if (now.difference.empty()) return false;
        shown = now;
        return true;
      });
      ADD_FAILURE() << "program " << i << ":\n" << shown.code << shown.difference;
      break;
    }
    return to_the_end;
  }

  GuestRunner guest_;
  NativeRunner native_;
  size_t used_ = 0;
};

TEST_F(ProgramTest, MatchTheHost) {
  const int to_the_end = Check(20261128);
  std::printf("%d programs, %d to their ends\n", kPrograms, to_the_end);
  EXPECT_GT(to_the_end, kPrograms / 2);
  EXPECT_LT(to_the_end, kPrograms);
}

TEST_F(ProgramTest, MatchTheHostUnderInterrupts) {
  std::atomic<bool> over = false;
  std::thread interrupting([&] {
    std::mt19937_64 random(7);
    while (!over.load(std::memory_order_relaxed)) {
      guest_.Interrupt();
      for (uint64_t i = random() % 2000; i > 0; --i) __builtin_ia32_pause();
    }
  });
  const int to_the_end = Check(31337);
  over = true;
  interrupting.join();
  std::printf("%d programs, %d to their ends, %lu interrupts\n", kPrograms, to_the_end,
              static_cast<unsigned long>(guest_.interrupts()));
  EXPECT_GT(guest_.interrupts(), 0u);
}

bool HasLockedInLoop(const std::vector<Item>& items, bool in_loop) {
  for (const Item& item : items) {
    if (item.kind == Item::Kind::kLocked && in_loop) return true;
    if (HasLockedInLoop(item.body, in_loop || item.kind == Item::Kind::kLoop)) return true;
  }
  return false;
}

size_t CountItems(const std::vector<Item>& items) {
  size_t count = items.size();
  for (const Item& item : items) count += CountItems(item.body);
  return count;
}

TEST(ShrinkTest, KeepsWhatFailsAndNothingElse) {
  std::mt19937_64 random(3);
  const auto fails = [](const Program& program) {
    for (const auto& function : program.functions) {
      if (HasLockedInLoop(function, false)) return true;
    }
    return false;
  };
  int shrunk = 0;
  for (int i = 0; i < 50; ++i) {
    const Program program = RandomProgram(random);
    if (!fails(program)) continue;
    const Program smallest = Shrink(program, fails);
    size_t items = 0;
    for (const auto& function : smallest.functions) items += CountItems(function);
    EXPECT_EQ(items, 2u);
    ++shrunk;
  }
  EXPECT_GT(shrunk, 5);
}

}  // namespace
}  // namespace hv::soft::differential
