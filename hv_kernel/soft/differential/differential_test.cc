// The oracle of the soft engine: the host CPU. The same code with the same registers and memory must
// end the same way in the guest as in this process.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <map>
#include <random>
#include <string>

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
constexpr int kSequences = 20000;
constexpr int kMaxSequenceLength = 12;
constexpr int kReportedFailures = 40;
constexpr size_t kMaxSequenceBytes = 1024;
constexpr uint32_t kBreakpoint = 3, kInvalidOpcode = 6, kPageFault = 14, kFloatingPoint = 16;

std::string Disassemble(const std::vector<uint8_t>& bytes, uint64_t address) {
  ZydisDecoder decoder;
  ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  ZydisFormatter formatter;
  ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
  std::string out;
  for (size_t at = 0; at < bytes.size();) {
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, &bytes[at], bytes.size() - at, &insn, operands))) {
      break;
    }
    char text[160];
    ZydisFormatterFormatInstruction(&formatter, &insn, operands, insn.operand_count_visible, text,
                                    sizeof(text), address + at, nullptr);
    char line[256];
    int length = std::snprintf(line, sizeof(line), "  %lx  %-48s ", address + at, text);
    out.append(line, static_cast<size_t>(length));
    for (int i = 0; i < insn.length; ++i) {
      length = std::snprintf(line, sizeof(line), "%02x ", bytes[at + static_cast<size_t>(i)]);
      out.append(line, static_cast<size_t>(length));
    }
    out += '\n';
    at += insn.length;
  }
  return out;
}

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
  Ending Check(const Sequence& sequence, uint64_t address, const std::string& name) {
    const std::vector<uint8_t>& bytes = sequence.bytes();
    std::memcpy(&native_.code()[used_], bytes.data(), bytes.size());
    std::memcpy(&guest_.code()[used_], bytes.data(), bytes.size());
    used_ += bytes.size() + random_() % 64;
    const MachineState begin = RandomState(random_, address);
    if (random_() % 64 == 0) memory_ = RandomMemory(random_);
    Ending native = native_.Run(begin, memory_);
    std::string difference;
    const Ending engine = guest_.Run(begin, memory_, difference);
    if (difference.empty() && !FaultsOnThePageFirst(native, engine)) {
      difference = Compare(native, engine);
    }
    if (!difference.empty()) Fail(name, Disassemble(bytes, address), begin, difference);
    return native;
  }

  // An instruction with two reasons to fault: one that the host does not have, or that finds an x87
  // exception pending, with its operand on a page that is not there. The engine looks at the page first.
  static bool FaultsOnThePageFirst(const Ending& native, const Ending& engine) {
    return engine.vector == kPageFault && native.state.rip == engine.state.rip &&
           (native.vector == kInvalidOpcode || native.vector == kFloatingPoint);
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
TEST_F(DifferentialTest, EveryFormMatchesTheHost) {
  int compared = 0, excluded = 0, completed = 0;
  for (const Form& form : AllForms()) {
    if (WhyExcluded(form) != nullptr) {
      ++excluded;
      continue;
    }
    ++compared;
    bool form_completed = false;
    for (int i = 0; i < kInstancesOfForm; ++i) {
      const uint64_t address = NextAddress();
      Sequence sequence(address, random_);
      if (i % 2 == 0) sequence.WarmUp();
      ASSERT_TRUE(sequence.Append(form)) << form.Name();
      sequence.Finish();
      form_completed |= Check(sequence, address, form.Name()).vector == kBreakpoint;
    }
    completed += form_completed;
  }
  RecordProperty("compared", compared);
  RecordProperty("excluded", excluded);
  std::printf("%d forms compared, of which %d retire on this host; %d excluded\n", compared, completed,
              excluded);
  // On an x86-64-v3 host at least; what the host has not raises #UD on both sides.
  EXPECT_GT(completed, 2500);
}

// Forms in company: flags and registers live across translated memory accesses and branches.
TEST_F(DifferentialTest, RandomSequencesMatchTheHost) {
  std::vector<Form> forms;
  for (Form& form : AllForms()) {
    if (WhyExcluded(form) != nullptr) continue;
    const uint64_t address = NextAddress();
    Sequence sequence(address, random_);
    if (!sequence.Append(form)) continue;
    sequence.Finish();
    // What the host has not, or keeps from user mode, would only cut sequences short.
    const uint32_t vector = Check(sequence, address, form.Name()).vector;
    if (vector == kBreakpoint) forms.push_back(std::move(form));
  }
  failed_.clear();
  int to_the_end = 0;
  for (int i = 0; i < kSequences; ++i) {
    const uint64_t address = NextAddress();
    Sequence sequence(address, random_);
    if (i % 2 == 0) sequence.WarmUp();
    const int length = 2 + static_cast<int>(random_() % (kMaxSequenceLength - 1));
    std::string name = "sequence";
    for (int k = 0; k < length && sequence.bytes().size() < kMaxSequenceBytes / 2; ++k) {
      const Form& form = forms[random_() % forms.size()];
      if (sequence.Append(form)) name += " " + form.Name() + ";";
    }
    sequence.Finish();
    to_the_end += Check(sequence, address, name).vector == kBreakpoint;
  }
  EXPECT_GT(to_the_end, kSequences / 2);
}

}  // namespace
}  // namespace hv::soft::differential
