// The guest's x87, SSE and AVX state over exits: held in the thread's registers or released, under
// signals and kicks.
#include <signal.h>

#include <string>

#include "gtest/gtest.h"
#include "hv_kernel/soft/held_run.h"
#include "hv_kernel/soft/test_machine.h"

namespace hv::soft {
namespace {

constexpr uint64_t kFrom = TestMachine::kData, kTo = TestMachine::kData + 0x800;
constexpr uint64_t kDevice = 0x3f000000;  // mapped, but no RAM there
constexpr uint32_t kGuestMxcsr = 0x7f80;  // rounds to zero
constexpr uint32_t kHostMxcsr = 0x1f80;
constexpr uint32_t kUnknownMsr = 0x1234;
constexpr int kManyExits = 1000;

// Where what is in the guest's memory.
constexpr uint64_t kYmm3At = 0, kYmm15At = 0x20, kMxcsrAt = 0x40, kX87At = 0x50;

std::atomic<int> signals{0};
std::atomic<uint32_t>* attention = nullptr;
bool held = false;
Ymm expected;

// As code of the host that uses all its registers.
void Clobber() { asm volatile("fninit\n\tfldz\n\tfninit\n\tvzeroall"); }
void OnSignal(int) {
  Clobber();
  signals.fetch_add(1);
}

// Called while the guest's state is held: none uses a vector register before it may.
void Nothing(VcpuEngine&, const Exit&) {}
void LookForYmm3(VcpuEngine&, const Exit&) { held = CurrentYmm3() == expected; }
void Signal(VcpuEngine&, const Exit&) { SignalSelf(SIGUSR1); }
void ReleaseAndClobber(VcpuEngine& vcpu, const Exit&) {
  vcpu.ReleaseRegisters();
  Clobber();
}
// Every second entry meets the attention word.
void Kick(VcpuEngine&, const Exit& exit) {
  StoreHeld(*attention, exit.reason != ExitReason::kAttention);
}

struct ExitCase {
  const char* name;
  std::vector<uint8_t> code;  // RBX: kDevice; ECX: kUnknownMsr
};

class ExtendedStateTest : public testing::TestWithParam<ExitCase> {
 protected:
  ExtendedStateTest() {
    attention = &m_.attention;
    struct sigaction action {};
    action.sa_handler = OnSignal;
    action.sa_flags = SA_ONSTACK;
    sigaction(SIGUSR1, &action, nullptr);
    for (size_t i = 0; i < expected.size(); ++i) {
      expected[i] = static_cast<uint8_t>(0x80 + i);
      m_.Poke<uint8_t>(kFrom + kYmm3At + i, expected[i]);
      m_.Poke<uint8_t>(kFrom + kYmm15At + i, static_cast<uint8_t>(0x40 + i));
    }
    m_.Poke<uint32_t>(kFrom + kMxcsrAt, kGuestMxcsr);
    m_.Poke<double>(kFrom + kX87At, 1.5);
    std::vector<uint8_t> code{0xc5, 0xfc, 0x10, 0x1e,        // vmovups ymm3, [rsi]
                              0xc5, 0x7c, 0x10, 0x7e, 0x20,  // vmovups ymm15, [rsi + 0x20]
                              0x0f, 0xae, 0x56, 0x40,        // ldmxcsr [rsi + 0x40]
                              0xdd, 0x46, 0x50};             // fld qword [rsi + 0x50]
    code.insert(code.end(), GetParam().code.begin(), GetParam().code.end());
    for (uint8_t byte : {0xc5, 0xfc, 0x11, 0x1f,        // vmovups [rdi], ymm3
                         0xc5, 0x7c, 0x11, 0x7f, 0x20,  // vmovups [rdi + 0x20], ymm15
                         0x0f, 0xae, 0x5f, 0x40,        // stmxcsr [rdi + 0x40]
                         0xdd, 0x5f, 0x50,              // fstp qword [rdi + 0x50]
                         0xf4}) {
      code.push_back(byte);
    }
    m_.Load(TestMachine::kCode, code);
    m_.gpr(HV_RSI) = kFrom;
    m_.gpr(HV_RDI) = kTo;
    m_.gpr(HV_RBX) = kDevice;
    m_.gpr(HV_RCX) = kUnknownMsr;
  }

  void Run(void (*between)(VcpuEngine&, const Exit&)) {
    ASSERT_TRUE(m_.vcpu().SetState(m_.state()).ok());
    const ExitReason last = RunHeld(m_.vcpu(), 0x11, kManyExits, between);
    m_.vcpu().ReleaseRegisters();
    ASSERT_EQ(last, ExitReason::kHalt);
  }
  void ExpectGuestStateWasKept() {
    for (uint64_t at = 0; at < kMxcsrAt; ++at) {
      ASSERT_EQ(m_.Peek<uint8_t>(kTo + at), m_.Peek<uint8_t>(kFrom + at)) << "byte " << at;
    }
    EXPECT_EQ(m_.Peek<uint32_t>(kTo + kMxcsrAt), kGuestMxcsr);
    EXPECT_EQ(m_.Peek<double>(kTo + kX87At), 1.5);
  }

  TestMachine m_;
};

TEST_P(ExtendedStateTest, SurvivesAnExitInTheRegisters) {
  Run(Nothing);
  ExpectGuestStateWasKept();
}

TEST_P(ExtendedStateTest, IsNotMovedByAnExit) {
  ASSERT_TRUE(m_.vcpu().SetState(m_.state()).ok());
  held = false;
  RunHeld(m_.vcpu(), 0, /*limit=*/1, LookForYmm3);
  m_.vcpu().ReleaseRegisters();
  EXPECT_TRUE(held);
}

TEST_P(ExtendedStateTest, SurvivesAHostThatTakesItsRegistersBack) {
  Run(ReleaseAndClobber);
  ExpectGuestStateWasKept();
}

TEST_P(ExtendedStateTest, SurvivesSignalsWhileItIsHeld) {
  signals = 0;
  Run(Signal);
  EXPECT_GE(signals, 2);
  ExpectGuestStateWasKept();
}

TEST_P(ExtendedStateTest, SurvivesKicks) {
  Run(Kick);
  ExpectGuestStateWasKept();
}

TEST_P(ExtendedStateTest, IsWhatTheStateShowsOnceReleased) {
  ASSERT_TRUE(m_.vcpu().SetState(m_.state()).ok());
  RunHeld(m_.vcpu(), 0, /*limit=*/1, Nothing);
  m_.vcpu().ReleaseRegisters();
  m_.vcpu().GetState(m_.state());
  constexpr size_t kXmm3At = 160 + 3 * 16, kMxcsrInXsave = 24;  // SDM vol. 1, 10.5.1 and 13.4.1
  EXPECT_EQ(std::memcmp(m_.state().xsave + kXmm3At, expected.data(), 16), 0);
  uint32_t mxcsr;
  std::memcpy(&mxcsr, m_.state().xsave + kMxcsrInXsave, sizeof(mxcsr));
  EXPECT_EQ(mxcsr, kGuestMxcsr);
}

TEST_P(ExtendedStateTest, ReleasingGivesTheHostItsOwnRounding) {
  ASSERT_TRUE(m_.vcpu().SetState(m_.state()).ok());
  RunHeld(m_.vcpu(), 0, /*limit=*/1, Nothing);
  m_.vcpu().ReleaseRegisters();
  uint32_t mxcsr;
  asm volatile("stmxcsr %0" : "=m"(mxcsr));
  EXPECT_EQ(mxcsr, kHostMxcsr);
}

INSTANTIATE_TEST_SUITE_P(
    EachKindOfExit, ExtendedStateTest,
    testing::Values(ExitCase{"In", {0xec}}, ExitCase{"Out", {0xee}},
                    ExitCase{"LoadFromADevice", {0x8b, 0x03}},
                    ExitCase{"StoreToADevice", {0x89, 0x03}},
                    ExitCase{"AddFromADevice", {0x03, 0x03}}, ExitCase{"OrToADevice", {0x09, 0x03}},
                    ExitCase{"VectorStoreToADevice", {0x0f, 0x11, 0x1b}},
                    ExitCase{"InsToMemory", {0x57, 0x48, 0x83, 0xc7, 0x60, 0x6c, 0x5f}},
                    ExitCase{"ReadMsr", {0x0f, 0x32}}, ExitCase{"WriteMsr", {0x0f, 0x30}},
                    ExitCase{"WriteCr8", {0x44, 0x0f, 0x22, 0xc0}},
                    ExitCase{"FxsaveBetween", {0xec, 0x0f, 0xae, 0x87, 0, 1, 0, 0, 0xec}}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace hv::soft
