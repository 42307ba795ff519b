// Privileged behaviour of the soft engine, seen by guest programs that check themselves.
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <ostream>
#include <span>
#include <string>

#include "hv_kernel/soft/test_machine.h"
#include "hv_kernel/soft/watchdog.h"
#include "integration_tests/guest_code/programs.h"

namespace hv {
namespace {

constexpr uint64_t kFailPort = 0xf4, kInterruptPort = 0xf5, kNmiPort = 0xf6;
constexpr uint64_t kTscAdjustMsr = 0x3b;
// More than any program makes: one that goes astray ends here, or by the watchdog when it makes
// none.
constexpr int kMaxExits = 1000;
constexpr int kMaxFailures = 20;

// The machine round a program: says which checks failed and brings the interrupts it asks for.
class Board {
 public:
  explicit Board(std::span<const uint8_t> program) {
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
  soft::Watchdog watchdog_{machine_.attention};
  std::optional<uint8_t> interrupt_;
  bool nmi_ = false;
};

struct Program {
  const char* name;
  std::span<const uint8_t> (*bytes)();
};
void PrintTo(const Program& program, std::ostream* out) { *out << program.name; }

class GuestCodeTest : public testing::TestWithParam<Program> {};

TEST_P(GuestCodeTest, ChecksItself) {
  Board board(GetParam().bytes());
  const Exit exit = board.Run(GetParam().name);
  EXPECT_EQ(static_cast<int>(exit.reason), static_cast<int>(ExitReason::kHalt))
      << GetParam().name << " ended at\n"
      << board.machine().vcpu().Describe();
}

#define HV_PROGRAM(name) Program{#name, guest_code::name},
INSTANTIATE_TEST_SUITE_P(Programs, GuestCodeTest,
                         testing::ValuesIn({HV_GUEST_PROGRAMS(HV_PROGRAM)}),
                         [](const auto& info) { return std::string(info.param.name); });
#undef HV_PROGRAM

TEST(TripleFaultTest, EndsInShutdownWithTheRegistersOfTheLastInstruction) {
  Board board(guest_code::triple_fault());
  const Exit exit = board.Run("triple_fault");
  EXPECT_EQ(static_cast<int>(exit.reason), static_cast<int>(ExitReason::kShutdown));
  const hv_vcpu_state& state = board.machine().state();
  EXPECT_EQ(state.gpr[HV_RBX], 0x1234u);
  EXPECT_EQ(state.rip, soft::TestMachine::kCode + state.gpr[HV_RCX]);
  EXPECT_EQ(state.gpr[HV_RSP], soft::TestMachine::kStack);
}

}  // namespace
}  // namespace hv
