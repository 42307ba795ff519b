// Privileged behaviour of every engine, seen by guest programs that check themselves.
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "hv_kernel/soft/test_machine.h"
#include "hv_kernel/soft/watchdog.h"
#include "integration_tests/engines/engines.h"
#include "integration_tests/guest_code/programs.h"

namespace hv {
namespace {

constexpr uint64_t kFailPort = 0xf4, kInterruptPort = 0xf5, kNmiPort = 0xf6;
constexpr uint64_t kTscAdjustMsr = 0x3b;
constexpr uint64_t kResetRip = 0xfff0;
// More than any program makes: one that goes astray ends here, or by the watchdog when it makes
// none.
constexpr int kMaxExits = 1000;
constexpr int kMaxFailures = 20;

// The machine round a program: says which checks failed and brings the interrupts it asks for.
class Board {
 public:
  Board(std::unique_ptr<Engine> engine, const std::string& name, std::span<const uint8_t> program)
      : machine_(std::move(engine), engines::CpuidTable()) {
    engines::FitState(name, machine_.state());
    machine_.Load(soft::TestMachine::kCode, program);
  }

  // Runs until an exit that is not the board's own affair.
  Exit Run(const char* name) {
    Exit exit = machine_.Run();
    int failures = 0;
    for (int exits = 0; exits < kMaxExits && failures < kMaxFailures; ++exits) {
      if (exit.reason == ExitReason::kPortWrite) {
        if (exit.address == kFailPort) {
          ++failures;
          ADD_FAILURE() << name << ".S:" << exit.data << "\n" << machine_.vcpu().Describe();
        }
        if (exit.address == kInterruptPort) interrupt_ = static_cast<uint8_t>(exit.data);
        if (exit.address == kNmiPort) nmi_ = true;
      } else if (exit.reason == ExitReason::kMsrWrite && exit.address == kTscAdjustMsr) {
        machine_.vcpu().CompleteWrite();
      } else if (exit.reason != ExitReason::kInterruptWindow) {
        return exit;
      }
      Inject();
      exit = machine_.Continue();
    }
    return exit;
  }
  soft::TestMachine& machine() { return machine_; }

 private:
  void Inject() {
    VcpuEngine& vcpu = machine_.vcpu();
    if (nmi_ && vcpu.CanTakeNmi()) {
      vcpu.InjectNmi();
      nmi_ = false;
    } else if (interrupt_.has_value() && vcpu.CanTakeInterrupt()) {
      vcpu.InjectInterrupt(*interrupt_);
      interrupt_.reset();
    }
    vcpu.RequestNmiWindow(nmi_);
    vcpu.RequestInterruptWindow(interrupt_.has_value());
  }

  soft::TestMachine machine_;
  soft::Watchdog watchdog_{machine_.attention, [this] { machine_.vcpu().Kick(); }};
  std::optional<uint8_t> interrupt_;
  bool nmi_ = false;
};

struct Program {
  const char* name;
  std::span<const uint8_t> (*bytes)();
};

using engines::CpuidRegister;

// What a program uses of what a CPU may lack.
struct Need {
  std::string_view program;
  engines::Feature feature;
};
constexpr Need kNeeds[] = {
    {"extended_state", engines::kXsave},
    {"extended_state", {"XSAVEC", 0xd, 1, CpuidRegister::kEax, 1}},
    {"fsgsbase", {"FSGSBASE", 7, 0, CpuidRegister::kEbx, 0}},
    {"locked", {"CMPXCHG16B", 1, 0, CpuidRegister::kEcx, 13}},
    {"pcid", {"PCID", 1, 0, CpuidRegister::kEcx, 17}},
    {"pcid", {"INVPCID", 7, 0, CpuidRegister::kEbx, 10}},
    {"supervisor_protection", {"SMEP", 7, 0, CpuidRegister::kEbx, 7}},
    {"supervisor_protection", {"SMAP", 7, 0, CpuidRegister::kEbx, 20}},
    {"supervisor_protection", {"UMIP", 7, 0, CpuidRegister::kEcx, 2}},
    {"time_stamp", {"RDTSCP", 0x80000001, 0, CpuidRegister::kEdx, 27}},
    {"time_stamp", {"RDPID", 7, 0, CpuidRegister::kEcx, 22}},
};

// Empty: the program can run on the engine.
std::string WhyNot(const std::string& engine, const Program& program) {
  for (const Need& need : kNeeds) {
    if (need.program == program.name && !engines::Shows(engine, need.feature)) {
      return std::string("guests of this KVM have no ") + need.feature.name;
    }
  }
  if (engine == "kvm" && program.name == std::string_view("undefined")) {
    return "a CPU executes some of what CPUID does not show, and KVM cannot keep it from that";
  }
  return engines::WhyRingZeroIsIncomplete(engine);
}

void PrintTo(const Program& program, std::ostream* out) { *out << program.name; }

class GuestCodeTest : public testing::TestWithParam<std::tuple<const char*, Program>> {
 protected:
  std::string engine() const { return std::get<0>(GetParam()); }
};

TEST_P(GuestCodeTest, ChecksItself) {
  const Program& program = std::get<1>(GetParam());
  auto made = engines::MakeEngine(engine());
  if (absl::IsFailedPrecondition(made.status())) GTEST_SKIP() << made.status().message();
  ASSERT_TRUE(made.ok()) << made.status();
  if (const std::string why = WhyNot(engine(), program); !why.empty()) GTEST_SKIP() << why;
  Board board(*std::move(made), engine(), program.bytes());
  const Exit exit = board.Run(program.name);
  EXPECT_EQ(static_cast<int>(exit.reason), static_cast<int>(ExitReason::kHalt))
      << program.name << " ended at\n"
      << board.machine().vcpu().Describe();
}

#define HV_PROGRAM(name) Program{#name, guest_code::name},
INSTANTIATE_TEST_SUITE_P(Programs, GuestCodeTest,
                         testing::Combine(testing::ValuesIn(engines::kEngines),
                                          testing::ValuesIn({HV_GUEST_PROGRAMS(HV_PROGRAM)})),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param)) + "_" +
                                  std::get<1>(info.param).name;
                         });
#undef HV_PROGRAM

class TripleFaultTest : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Engines, TripleFaultTest, testing::ValuesIn(engines::kEngines),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(TripleFaultTest, EndsInShutdownWithTheRegistersOfTheLastInstruction) {
  auto engine = engines::MakeEngine(GetParam());
  if (absl::IsFailedPrecondition(engine.status())) GTEST_SKIP() << engine.status().message();
  ASSERT_TRUE(engine.ok()) << engine.status();
  Board board(*std::move(engine), GetParam(), guest_code::triple_fault());
  const Exit exit = board.Run("triple_fault");
  EXPECT_EQ(static_cast<int>(exit.reason), static_cast<int>(ExitReason::kShutdown));
  const hv_vcpu_state& state = board.machine().state();
  if (std::string(GetParam()) == "kvm" && state.rip == kResetRip) {
    GTEST_SKIP() << "this KVM resets a CPU that shuts down, as AMD's does: its registers are gone";
  }
  EXPECT_EQ(state.gpr[HV_RBX], 0x1234u);
  EXPECT_EQ(state.rip, soft::TestMachine::kCode + state.gpr[HV_RCX]);
  EXPECT_EQ(state.gpr[HV_RSP], soft::TestMachine::kStack);
}

}  // namespace
}  // namespace hv
