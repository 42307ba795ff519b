// The oracle of the soft engine: the host CPU. The same code with the same registers and memory
// must end the same way in the guest as in this process.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <map>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "hv_kernel/soft/differential/disassemble.h"
#include "hv_kernel/soft/differential/exclusions.h"
#include "hv_kernel/soft/differential/form.h"
#include "hv_kernel/soft/differential/guest_run.h"
#include "hv_kernel/soft/differential/machine_state.h"
#include "hv_kernel/soft/differential/native_run.h"
#include "hv_kernel/soft/differential/random_state.h"
#include "hv_kernel/soft/differential/sequence.h"

namespace hv::soft::differential {
namespace {

constexpr int kInstancesOfForm = 8;
constexpr int kSequences = 12000;
constexpr int kMaxSequenceLength = 12;
constexpr int kReportedFailures = 40;
constexpr size_t kMaxSequenceBytes = 1024;
constexpr uint32_t kBreakpoint = 3, kInvalidOpcode = 6, kGeneralProtection = 13, kPageFault = 14,
                   kFloatingPoint = 16;

class DifferentialTest : public testing::Test {
 protected:
  // Where the next code goes; code already executed is never overwritten behind the engine's back.
  uint64_t NextAddress() {
    if (used_ + 2 * kMaxSequenceBytes > kCodeBytes) {
      guest_.ForgetCode();
      used_ = 0;
    }
    return kCodeFirst + used_;
  }

  // Runs it both ways; returns how it ended natively.
  Ending Check(const Sequence& sequence, uint64_t address, CodeWidth width,
               const std::string& name) {
    const std::vector<uint8_t>& bytes = sequence.bytes();
    std::memcpy(&native_.code()[used_], bytes.data(), bytes.size());
    std::memcpy(&guest_.code()[used_], bytes.data(), bytes.size());
    used_ += bytes.size() + random_() % 64;
    const MachineState begin = RandomState(random_, address, width);
    if (random_() % 64 == 0) memory_ = RandomMemory(random_);
    Ending native = native_.Run(begin, memory_);
    std::string difference;
    const Ending engine = guest_.Run(begin, memory_, difference);
    if (difference.empty() && !FaultsOnThePageFirst(native, engine) &&
        !StoresNothing(native, engine)) {
      difference = Compare(native, engine);
    }
    if (!difference.empty()) Fail(name, Disassemble(bytes, address, width), begin, difference);
    return native;
  }

  // An instruction with two reasons to fault: one that the host does not have, or that finds an x87
  // exception pending, with its operand on a page that is not there. The engine looks at the page
  // first.
  static bool FaultsOnThePageFirst(const Ending& native, const Ending& engine) {
    return engine.vector == kPageFault && native.state.rip == engine.state.rip &&
           (native.vector == kInvalidOpcode || native.vector == kFloatingPoint);
  }

  // An x87 store that raises an unmasked exception stores nothing, and an Intel CPU then looks
  // neither at the page nor at the segment it would have stored to. The engine looks first.
  static bool StoresNothing(const Ending& native, const Ending& engine) {
    return (engine.vector == kPageFault || engine.vector == kGeneralProtection) &&
           HasPendingX87Exception(native.state.xsave) &&
           !HasPendingX87Exception(engine.state.xsave);
  }

  void Fail(const std::string& name, const std::string& code, const MachineState& begin,
            const std::string& difference) {
    if (failed_[name]++ != 0 || failed_.size() > kReportedFailures) {
      if (failed_.size() > kReportedFailures) ADD_FAILURE() << name;
      return;
    }
    std::string registers = "  begins with rflags " + std::to_string(begin.rflags);
    for (size_t i = 0; i < 16; ++i) {
      char text[40];
      std::snprintf(text, sizeof(text), " r%zu=%lx", i, begin.gpr[i]);
      registers += text;
    }
    ADD_FAILURE() << name << '\n' << code << registers << '\n' << difference;
  }

  std::mt19937_64 random_{20240229};
  GuestRunner guest_;
  NativeRunner native_;
  size_t used_ = 0;
  std::vector<uint8_t> memory_ = RandomMemory(random_);
  std::map<std::string, int> failed_;
};

// Each form alone: whatever exception it ends in, the engine must end in the same one.
class FormsTest : public DifferentialTest, public testing::WithParamInterface<CodeWidth> {
 protected:
  // What was tried, told at the end.
  struct Totals {
    int compared = 0;
    int retired = 0;  // in at least one instance
    std::map<std::string, int> excluded;
    int instances = 0, locked = 0, overridden = 0, narrow_addresses = 0, across_pages = 0;

    void Count(const Sequence::Traits& traits) {
      ++instances;
      locked += traits.locked;
      overridden += traits.overrides_segment;
      narrow_addresses += traits.narrow_address;
      across_pages += traits.crosses_page;
    }
    void Print(CodeWidth width) const {
      std::printf("%s code: %d forms compared, of which %d retire on this host\n",
                  width == CodeWidth::k64 ? "64-bit" : "32-bit", compared, retired);
      std::printf(
          "  %d instances: %d locked, %d with a segment override, %d with 32-bit addresses in"
          " 64-bit code, %d across pages\n",
          instances, locked, overridden, narrow_addresses, across_pages);
      for (const auto& [reason, count] : excluded) {
        std::printf("  %d excluded: %s\n", count, reason.c_str());
      }
    }
  };
};

TEST_P(FormsTest, MatchTheHost) {
  const CodeWidth width = GetParam();
  Totals totals;
  for (const Form& form : AllForms(width)) {
    if (const char* why = WhyExcluded(form); why != nullptr) {
      ++totals.excluded[why];
      continue;
    }
    ++totals.compared;
    bool retired = false;
    for (int i = 0; i < kInstancesOfForm; ++i) {
      const uint64_t address = NextAddress();
      Sequence sequence(address, width, random_);
      if (i % 2 == 0) sequence.WarmUp();
      ASSERT_TRUE(sequence.Append(form)) << form.Name();
      sequence.Finish();
      totals.Count(sequence.traits());
      retired |= Check(sequence, address, width, form.Name()).vector == kBreakpoint;
    }
    totals.retired += retired;
  }
  totals.Print(width);
  // On an x86-64-v3 host at least; what the host has not raises #UD on both sides.
  EXPECT_GT(totals.retired, width == CodeWidth::k64 ? 2500 : 1500);
  EXPECT_GT(totals.locked, 0);
  EXPECT_GT(totals.overridden, 0);
  EXPECT_GT(totals.across_pages, 0);
  EXPECT_TRUE(totals.narrow_addresses > 0 || width == CodeWidth::k32);
}

INSTANTIATE_TEST_SUITE_P(Widths, FormsTest, testing::Values(CodeWidth::k64, CodeWidth::k32),
                         [](const auto& info) {
                           return info.param == CodeWidth::k64 ? "Of64BitCode" : "Of32BitCode";
                         });

// Forms in company: flags and registers live across translated memory accesses and branches.
class SequencesTest : public DifferentialTest, public testing::WithParamInterface<CodeWidth> {};

TEST_P(SequencesTest, MatchTheHost) {
  const CodeWidth width = GetParam();
  std::vector<Form> forms;
  for (Form& form : AllForms(width)) {
    if (WhyExcluded(form) != nullptr) continue;
    const uint64_t address = NextAddress();
    Sequence sequence(address, width, random_);
    if (!sequence.Append(form)) continue;
    sequence.Finish();
    // What the host has not, or keeps from user mode, would only cut sequences short.
    const uint32_t vector = Check(sequence, address, width, form.Name()).vector;
    if (vector == kBreakpoint) forms.push_back(std::move(form));
  }
  failed_.clear();
  int to_the_end = 0;
  for (int i = 0; i < kSequences; ++i) {
    const uint64_t address = NextAddress();
    Sequence sequence(address, width, random_);
    if (i % 2 == 0) sequence.WarmUp();
    const int length = 2 + static_cast<int>(random_() % (kMaxSequenceLength - 1));
    std::string name = "sequence";
    for (int k = 0; k < length && sequence.bytes().size() < kMaxSequenceBytes / 2; ++k) {
      const Form& form = forms[random_() % forms.size()];
      if (sequence.Append(form)) name += " " + form.Name() + ";";
    }
    sequence.Finish();
    to_the_end += Check(sequence, address, width, name).vector == kBreakpoint;
  }
  EXPECT_GT(to_the_end, kSequences / 2);
}

INSTANTIATE_TEST_SUITE_P(Widths, SequencesTest, testing::Values(CodeWidth::k64, CodeWidth::k32),
                         [](const auto& info) {
                           return info.param == CodeWidth::k64 ? "Of64BitCode" : "Of32BitCode";
                         });

// The oracle itself: an engine that executed the second instruction for the first would be found
// out.
struct Mistake {
  const char* name;
  std::vector<uint8_t> native;
  std::vector<uint8_t> engine;
};
void PrintTo(const Mistake& mistake, std::ostream* out) { *out << mistake.name; }

class MistakeTest : public DifferentialTest, public testing::WithParamInterface<Mistake> {};

TEST_P(MistakeTest, IsFound) {
  const uint64_t address = NextAddress();
  const auto put = [&](std::span<uint8_t> code, std::vector<uint8_t> bytes) {
    bytes.push_back(0xcc);
    std::memcpy(&code[used_], bytes.data(), bytes.size());
  };
  put(native_.code(), GetParam().native);
  put(guest_.code(), GetParam().engine);
  MachineState begin = RandomState(random_, address, CodeWidth::k64);
  begin.gpr[0] = 5;
  const Ending native = native_.Run(begin, memory_);
  std::string difference;
  const Ending engine = guest_.Run(begin, memory_, difference);
  ASSERT_EQ(difference, "");
  EXPECT_NE(Compare(native, engine), "");
}

INSTANTIATE_TEST_SUITE_P(
    Mistakes, MistakeTest,
    testing::Values(Mistake{"Register", {0xff, 0xc0}, {0xff, 0xc8}},            // inc, dec eax
                    Mistake{"UpperHalf", {0x48, 0xf7, 0xd0}, {0xf7, 0xd0}},     // not rax, eax
                    Mistake{"Flag", {0x31, 0xdb, 0xf8}, {0x31, 0xdb, 0xf9}},    // clc, stc
                    Mistake{"Memory", {0x50, 0x58}, {0x53, 0x5b}},              // push rax, rbx
                    Mistake{"Vector", {0x0f, 0x57, 0xc9}, {0x0f, 0x57, 0xd2}},  // xorps xmm1, xmm2
                    Mistake{"UpperVector", {0xc5, 0xf4, 0x57, 0xc9}, {0x0f, 0x57, 0xc9}},
                    Mistake{
                        "X87", {0xdb, 0xe3, 0xd9, 0xe8}, {0xdb, 0xe3, 0xd9, 0xee}},  // fld1, fldz
                    Mistake{"Exception", {0x0f, 0x0b}, {0xf4}},                      // ud2, hlt
                    Mistake{"Length", {0x66, 0x90}, {0x90}}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace hv::soft::differential
