// The contract of engine.h, held against every engine that this host can run: one set of cases,
// the same exits, answers and registers from each.
#include <gtest/gtest.h>

#include <initializer_list>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "hv_kernel/soft/test_machine.h"
#include "integration_tests/engines/engines.h"

namespace hv {

void PrintTo(const Exit& exit, std::ostream* out) {
  *out << "reason " << static_cast<int>(exit.reason) << std::hex << " at 0x" << exit.address
       << std::dec << ", " << int{exit.width} << " bytes" << std::hex << ", data 0x" << exit.data
       << std::dec;
}
bool operator==(const Exit& a, const Exit& b) {
  return a.reason == b.reason && a.width == b.width && a.address == b.address && a.data == b.data;
}

namespace {

using Machine = soft::TestMachine;
using Code = std::initializer_list<uint8_t>;

constexpr uint64_t kDevice = 0x3f000000;  // mapped, but no RAM there
constexpr uint64_t kPage = 4096;
constexpr uint64_t kFlagIf = 1 << 9;
constexpr uint64_t kIdt = 0x8000, kGdt = 0x9000, kHandlers = Machine::kCode + 0x1000;
constexpr uint64_t kHandlerBytes = 16;

Exit PortRead(uint64_t port, uint8_t width) { return {ExitReason::kPortRead, width, port, 0}; }
Exit PortWrite(uint64_t port, uint8_t width, uint64_t data) {
  return {ExitReason::kPortWrite, width, port, data};
}
Exit MmioRead(uint64_t address, uint8_t width) {
  return {ExitReason::kMmioRead, width, address, 0};
}
Exit MmioWrite(uint64_t address, uint8_t width, uint64_t data) {
  return {ExitReason::kMmioWrite, width, address, data};
}
Exit MsrWrite(uint64_t index, uint64_t data) { return {ExitReason::kMsrWrite, 8, index, data}; }
constexpr Exit kHalt{ExitReason::kHalt};
constexpr Exit kWindow{ExitReason::kInterruptWindow};

class EngineContractTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    auto engine = engines::MakeEngine(GetParam());
    if (absl::IsFailedPrecondition(engine.status())) GTEST_SKIP() << engine.status().message();
    ASSERT_TRUE(engine.ok()) << engine.status();
    machine_ = std::make_unique<Machine>(*std::move(engine), engines::CpuidTable());
    engines::FitState(GetParam(), m().state());
  }

  Machine& m() { return *machine_; }
  VcpuEngine& vcpu() { return machine_->vcpu(); }
  uint64_t& gpr(hv_gpr reg) { return machine_->gpr(reg); }
  Exit Run(Code code) {
    m().LoadCode(code);
    return m().Run();
  }

  // 16-bit code at 0x1000:0, in real mode.
  void EnterRealMode() {
    constexpr uint32_t kCodeRights = 0x9b, kDataRights = 0x93;
    hv_vcpu_state& state = m().state();
    for (auto& segment : state.segment) {
      segment = {.limit = 0xffff, .selector = 0, .attributes = kDataRights};
    }
    state.segment[HV_CS] = {
        .base = 0x10000, .limit = 0xffff, .selector = 0x1000, .attributes = kCodeRights};
    state.idtr = {.base = 0, .limit = 0x3ff, .reserved = {}};
    state.cr0 = 0x10;
    state.cr4 = 0;
    state.efer = 0;
    state.rip = 0;
    state.gpr[HV_RSP] = 0x8000;
  }
  // 32-bit protected mode without paging, flat.
  void EnterProtectedMode() {
    hv_vcpu_state& state = m().state();
    state.segment[HV_CS].attributes = 0xc09b;
    state.cr0 = 0x11;
    state.cr4 &= ~uint64_t{0x20};
    state.efer = 0;
  }
  // An IDT whose gate n leads to a HLT of its own.
  void InstallHandlers() {
    m().Poke<uint64_t>(kGdt + 8, 0x00af9b000000ffff);
    m().Poke<uint64_t>(kGdt + 16, 0x00cf93000000ffff);
    for (uint64_t n = 0; n < 256; ++n) {
      const uint64_t handler = kHandlers + n * kHandlerBytes;
      m().Poke<uint64_t>(kIdt + n * 16, (handler & 0xffff) | 8 << 16 | 0x8eull << 40 |
                                            (handler >> 16 & 0xffff) << 48);
      m().Poke<uint64_t>(kIdt + n * 16 + 8, handler >> 32);
      m().Poke<uint8_t>(handler, 0xf4);
    }
    m().state().idtr = {.base = kIdt, .limit = 0xfff, .reserved = {}};
    m().state().gdtr = {.base = kGdt, .limit = 0x17, .reserved = {}};
  }
  void SetHandler(uint8_t vector, Code code) {
    m().Load(kHandlers + vector * kHandlerBytes, {code.begin(), code.size()});
  }
  // Where the HLT of a handler leaves RIP.
  static uint64_t After(uint8_t vector) { return kHandlers + vector * kHandlerBytes + 1; }

  std::unique_ptr<Machine> machine_;
};

INSTANTIATE_TEST_SUITE_P(Engines, EngineContractTest, testing::ValuesIn(engines::kEngines),
                         [](const auto& info) { return std::string(info.param); });

// --- Ports.

TEST_P(EngineContractTest, PortsOfEveryWidthLeaveAndAreAnswered) {
  gpr(HV_RDX) = 0x3fd;
  gpr(HV_RAX) = 0x8877665544332211;
  EXPECT_EQ(Run({0xec,        // in al, dx
                 0x66, 0xed,  // in ax, dx
                 0xed,        // in eax, dx
                 0xee,        // out dx, al
                 0x66, 0xef,  // out dx, ax
                 0xef,        // out dx, eax
                 0xe6, 0x80,  // out 0x80, al
                 0xf4}),
            PortRead(0x3fd, 1));
  vcpu().CompleteRead(0xa1);
  EXPECT_EQ(m().Continue(), PortRead(0x3fd, 2));
  EXPECT_EQ(gpr(HV_RAX), 0x88776655443322a1u);
  vcpu().CompleteRead(0xb1b2);
  EXPECT_EQ(m().Continue(), PortRead(0x3fd, 4));
  EXPECT_EQ(gpr(HV_RAX), 0x887766554433b1b2u);
  vcpu().CompleteRead(0xc1c2c3c4);
  EXPECT_EQ(m().Continue(), PortWrite(0x3fd, 1, 0xc4));
  EXPECT_EQ(m().Continue(), PortWrite(0x3fd, 2, 0xc3c4));
  EXPECT_EQ(m().Continue(), PortWrite(0x3fd, 4, 0xc1c2c3c4));
  EXPECT_EQ(m().Continue(), PortWrite(0x80, 1, 0xc4));
  EXPECT_EQ(m().Continue(), kHalt);
  EXPECT_EQ(gpr(HV_RAX), 0xc1c2c3c4u);
  EXPECT_EQ(m().state().rip, Machine::kCode + 11);
}

TEST_P(EngineContractTest, AStringToAPortLeavesElementByElement) {
  for (uint32_t i = 0; i < 5; ++i) m().Poke<uint16_t>(Machine::kData + 2 * i, 0x1100 + i);
  gpr(HV_RDX) = 0x1f0;
  gpr(HV_RSI) = Machine::kData;
  gpr(HV_RCX) = 5;
  Exit exit = Run({0xf3, 0x66, 0x6f,  // rep outsw
                   0xf4});
  for (uint64_t i = 0; i < 5; ++i, exit = m().Continue()) {
    EXPECT_EQ(exit, PortWrite(0x1f0, 2, 0x1100 + i));
  }
  EXPECT_EQ(exit, kHalt);
  EXPECT_EQ(gpr(HV_RSI), Machine::kData + 10);
  EXPECT_EQ(gpr(HV_RCX), 0u);
}

TEST_P(EngineContractTest, AStringFromAPortIsReadElementByElement) {
  gpr(HV_RDX) = 0x1f0;
  gpr(HV_RDI) = Machine::kData + kPage - 6;  // the second element crosses into the next page
  gpr(HV_RCX) = 5;
  Exit exit = Run({0xf3, 0x6d,  // rep insd
                   0xf4});
  for (uint64_t i = 0; i < 5; ++i, exit = m().Continue()) {
    ASSERT_EQ(exit, PortRead(0x1f0, 4));
    vcpu().CompleteRead(0x55000000 + i);
  }
  EXPECT_EQ(exit, kHalt);
  for (uint32_t i = 0; i < 5; ++i) {
    EXPECT_EQ(m().Peek<uint32_t>(Machine::kData + kPage - 6 + 4 * i), 0x55000000 + i);
  }
  EXPECT_EQ(gpr(HV_RCX), 0u);
  EXPECT_EQ(gpr(HV_RDI), Machine::kData + kPage - 6 + 20);
}

// --- Device memory.

TEST_P(EngineContractTest, DeviceMemoryOfEveryWidthLeavesAndIsAnswered) {
  gpr(HV_RBX) = kDevice;
  gpr(HV_RAX) = 0x8877665544332211;
  EXPECT_EQ(Run({0x88, 0x03,              // mov [rbx], al
                 0x66, 0x89, 0x43, 0x02,  // mov [rbx+2], ax
                 0x89, 0x43, 0x04,        // mov [rbx+4], eax
                 0x48, 0x89, 0x43, 0x08,  // mov [rbx+8], rax
                 0x48, 0x8b, 0x4b, 0x10,  // mov rcx, [rbx+16]
                 0x0f, 0xb6, 0x53, 0x20,  // movzx edx, byte [rbx+32]
                 0xf4}),
            MmioWrite(kDevice, 1, 0x11));
  EXPECT_EQ(m().Continue(), MmioWrite(kDevice + 2, 2, 0x2211));
  EXPECT_EQ(m().Continue(), MmioWrite(kDevice + 4, 4, 0x44332211));
  EXPECT_EQ(m().Continue(), MmioWrite(kDevice + 8, 8, 0x8877665544332211));
  EXPECT_EQ(m().Continue(), MmioRead(kDevice + 16, 8));
  vcpu().CompleteRead(0x0123456789abcdef);
  EXPECT_EQ(m().Continue(), MmioRead(kDevice + 32, 1));
  vcpu().CompleteRead(0x9a);
  EXPECT_EQ(m().Continue(), kHalt);
  EXPECT_EQ(gpr(HV_RCX), 0x0123456789abcdefu);
  EXPECT_EQ(gpr(HV_RDX), 0x9au);
}

TEST_P(EngineContractTest, AnAccessThatIsNotAlignedIsTakenApart) {
  gpr(HV_RBX) = kDevice;
  EXPECT_EQ(Run({0x8b, 0x43, 0x02, 0xf4}), MmioRead(kDevice + 2, 2));  // mov eax, [rbx + 2]
  vcpu().CompleteRead(0x3344);
  EXPECT_EQ(m().Continue(), MmioRead(kDevice + 4, 2));
  vcpu().CompleteRead(0x1122);
  EXPECT_EQ(m().Continue(), kHalt);
  EXPECT_EQ(gpr(HV_RAX), 0x11223344u);
}

TEST_P(EngineContractTest, AnAccessAcrossPagesOfADeviceReachesBoth) {
  gpr(HV_RBX) = kDevice + kPage - 4;
  gpr(HV_RAX) = 0x8877665544332211;
  EXPECT_EQ(Run({0x48, 0x89, 0x03, 0xf4}),  // mov [rbx], rax
            MmioWrite(kDevice + kPage - 4, 4, 0x44332211));
  EXPECT_EQ(m().Continue(), MmioWrite(kDevice + kPage, 4, 0x88776655));
  EXPECT_EQ(m().Continue(), kHalt);
}

TEST_P(EngineContractTest, AStringFromADeviceIsReadElementByElement) {
  gpr(HV_RSI) = kDevice;
  gpr(HV_RDI) = Machine::kData;
  gpr(HV_RCX) = 3;
  Exit exit = Run({0xf3, 0xa5, 0xf4});  // rep movsd
  for (uint32_t i = 0; i < 3; ++i, exit = m().Continue()) {
    ASSERT_EQ(exit, MmioRead(kDevice + 4 * i, 4));
    vcpu().CompleteRead(0x77 + i);
  }
  EXPECT_EQ(exit, kHalt);
  for (uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(m().Peek<uint32_t>(Machine::kData + 4 * i), 0x77u + i);
  }
}

TEST_P(EngineContractTest, AReadThatModifiesReadsThenWrites) {
  gpr(HV_RBX) = kDevice;
  EXPECT_EQ(Run({0x83, 0x03, 0x05, 0xf4}), MmioRead(kDevice, 4));  // add dword [rbx], 5
  vcpu().CompleteRead(37);
  EXPECT_EQ(m().Continue(), MmioWrite(kDevice, 4, 42));
  EXPECT_EQ(m().Continue(), kHalt);
}

// The answer ends the instruction: what looks at the registers next finds it retired.
TEST_P(EngineContractTest, AnAnsweredInstructionHasRetired) {
  gpr(HV_RBX) = kDevice;
  m().state().rflags |= kFlagIf;
  EXPECT_EQ(Run({0x8b, 0x03, 0xec, 0xf4}).reason, ExitReason::kMmioRead);
  vcpu().CompleteRead(7);
  vcpu().GetState(m().state());
  EXPECT_EQ(m().state().rip, Machine::kCode + 2);
  EXPECT_EQ(gpr(HV_RAX), 7u);
  EXPECT_TRUE(vcpu().CanTakeInterrupt());
  EXPECT_EQ(m().Continue().reason, ExitReason::kPortRead);
  vcpu().CompleteRead(8);
  vcpu().GetState(m().state());
  EXPECT_EQ(m().state().rip, Machine::kCode + 3);
  EXPECT_EQ(gpr(HV_RAX), 8u);
}

TEST_P(EngineContractTest, AStateSetInTheMiddleOfAnAccessDropsIt) {
  gpr(HV_RDX) = 0x1f0;
  gpr(HV_RDI) = Machine::kData;
  gpr(HV_RCX) = 4;
  EXPECT_EQ(Run({0xf3, 0x6d,  // rep insd
                 0xf4})
                .reason,
            ExitReason::kPortRead);
  vcpu().CompleteRead(1);
  m().state().rip = Machine::kCode + 2;
  gpr(HV_RAX) = 5;
  EXPECT_EQ(m().Run(), kHalt);
  EXPECT_EQ(gpr(HV_RAX), 5u);
}

// --- Model-specific registers, CR8.

TEST_P(EngineContractTest, MsrsOfTheServiceLeaveAndThoseOfTheCpuDoNot) {
  gpr(HV_RCX) = 0x1b;                                       // APIC_BASE
  EXPECT_EQ(Run({0x0f, 0x32,                                // rdmsr
                 0x89, 0xc3,                                // mov ebx, eax
                 0xb9, 0x80, 0x08, 0x00, 0x00,              // mov ecx, 0x880: x2APIC
                 0x0f, 0x30,                                // wrmsr
                 0xb9, 0x82, 0x00, 0x00, 0xc0,              // mov ecx, LSTAR
                 0xb8, 0x78, 0x56, 0x34, 0x12, 0x31, 0xd2,  // mov eax, 0x12345678; xor edx, edx
                 0x0f, 0x30,                                // wrmsr
                 0x31, 0xc0, 0x0f, 0x32,                    // xor eax, eax; rdmsr
                 0xf4}),
            (Exit{ExitReason::kMsrRead, 8, 0x1b, 0}));
  vcpu().CompleteRead(0xfee00900);
  EXPECT_EQ(m().Continue(), MsrWrite(0x880, 0xfee00900));
  vcpu().CompleteWrite();
  EXPECT_EQ(m().Continue(), kHalt);
  EXPECT_EQ(gpr(HV_RBX), 0xfee00900u);
  EXPECT_EQ(gpr(HV_RAX), 0x12345678u);
  EXPECT_EQ(m().state().lstar, 0x12345678u);
}

TEST_P(EngineContractTest, AnMsrThatIsRefusedIsGeneralProtection) {
  InstallHandlers();
  gpr(HV_RCX) = 0x12345;
  EXPECT_EQ(Run({0x0f, 0x32, 0xf4}).reason, ExitReason::kMsrRead);
  vcpu().CompleteWithFault();
  EXPECT_EQ(m().Continue(), kHalt);
  EXPECT_EQ(m().state().rip, After(13));
  EXPECT_EQ(m().Peek<uint64_t>(gpr(HV_RSP)), 0u);
  EXPECT_EQ(m().Peek<uint64_t>(gpr(HV_RSP) + 8), Machine::kCode);
}

TEST_P(EngineContractTest, AnImpossibleValueOfTheCpusOwnMsrsIsGeneralProtection) {
  InstallHandlers();
  gpr(HV_RCX) = 0xc0000080;  // EFER
  gpr(HV_RAX) = gpr(HV_RDX) = 0xffffffff;
  EXPECT_EQ(Run({0x0f, 0x30, 0xf4}), kHalt);
  EXPECT_EQ(m().state().rip, After(13));
}

TEST_P(EngineContractTest, AWriteOfTheTscLeavesWithItsNewAdjustment) {
  gpr(HV_RCX) = 0x3b;
  gpr(HV_RAX) = 0x55667788;
  gpr(HV_RDX) = 0x11223344;
  EXPECT_EQ(Run({0x0f, 0x30, 0x31, 0xc0, 0x0f, 0x32, 0xf4}),  // wrmsr; xor eax, eax; rdmsr
            MsrWrite(0x3b, 0x1122334455667788));
  vcpu().CompleteWrite();
  EXPECT_EQ(m().Continue(), kHalt);
  EXPECT_EQ(m().state().tsc_adjust, 0x1122334455667788u);
  EXPECT_EQ(m().state().tsc_offset, 0x1122334455667788u);
  EXPECT_EQ(gpr(HV_RAX), 0x55667788u);
}

TEST_P(EngineContractTest, TheTscGoesOnFromWhatWasWritten) {
  const std::string why = engines::WhyTheTscIsTheHosts(GetParam());
  if (!why.empty()) GTEST_SKIP() << why;
  gpr(HV_RCX) = 0x10;
  gpr(HV_RAX) = 0;
  gpr(HV_RDX) = 0x1000;
  const Exit exit = Run({0x0f, 0x30, 0x0f, 0x31, 0xf4});  // wrmsr; rdtsc
  EXPECT_EQ(exit.reason, ExitReason::kMsrWrite);
  EXPECT_EQ(exit.address, 0x3bu);
  vcpu().CompleteWrite();
  EXPECT_EQ(m().Continue(), kHalt);
  EXPECT_EQ(gpr(HV_RDX), 0x1000u);
  EXPECT_EQ(m().state().tsc_adjust, exit.data);
}

// Which accesses to CR8 leave is the engine's affair, but what it is, is known before anything that
// the guest does later.
TEST_P(EngineContractTest, WritesOfCr8AreKnownBeforeTheNextExit) {
  gpr(HV_RBX) = 9;
  const Exit written{ExitReason::kCr8Write, 8, 0, 9};
  EXPECT_EQ(Run({0x44, 0x0f, 0x22, 0xc3,  // mov cr8, rbx
                 0xe6, 0x80,              // out 0x80, al
                 0x31, 0xdb,              // xor ebx, ebx
                 0x44, 0x0f, 0x22, 0xc3,  // mov cr8, rbx
                 0xf4}),
            written);
  vcpu().CompleteWrite();
  EXPECT_EQ(m().Continue(), PortWrite(0x80, 1, 0));
  EXPECT_EQ(m().Continue(), (Exit{ExitReason::kCr8Write, 8, 0, 0}));
  vcpu().CompleteWrite();
  EXPECT_EQ(m().Continue(), kHalt);
}

// --- Interrupts.

TEST_P(EngineContractTest, AnInterruptIsTakenAfterTheInstructionThatFollowsSti) {
  const std::string why = engines::WhyWindowsAreLate(GetParam());
  if (!why.empty()) GTEST_SKIP() << why;
  InstallHandlers();
  vcpu().RequestInterruptWindow(true);
  EXPECT_EQ(Run({0xfb,        // sti
                 0xff, 0xc0,  // inc eax
                 0xff, 0xc0,  // inc eax
                 0xf4}),
            kWindow);
  EXPECT_EQ(gpr(HV_RAX), 1u);
  ASSERT_TRUE(vcpu().CanTakeInterrupt());
  vcpu().InjectInterrupt(0x40);
  vcpu().RequestInterruptWindow(false);
  EXPECT_EQ(m().Continue(), kHalt);
  EXPECT_EQ(m().state().rip, After(0x40));
  EXPECT_EQ(m().Peek<uint64_t>(gpr(HV_RSP)), Machine::kCode + 3);
}

TEST_P(EngineContractTest, AnInterruptEndsAHalt) {
  InstallHandlers();
  SetHandler(0x41, {0xff, 0xc3, 0x48, 0xcf});  // inc ebx; iretq
  EXPECT_EQ(Run({0xfb, 0xf4,                   // sti; hlt
                 0xe6, 0x80, 0xf4}),
            kHalt);
  EXPECT_EQ(m().state().rip, Machine::kCode + 2);
  ASSERT_TRUE(vcpu().CanTakeInterrupt());
  vcpu().InjectInterrupt(0x41);
  EXPECT_FALSE(vcpu().CanTakeInterrupt());
  EXPECT_EQ(m().Continue(), PortWrite(0x80, 1, 0));
  EXPECT_EQ(gpr(HV_RBX), 1u);
}

TEST_P(EngineContractTest, NoInterruptIsTakenWithInterruptsOff) {
  EXPECT_EQ(Run({0xe6, 0x80, 0xf4}), PortWrite(0x80, 1, 0));
  EXPECT_FALSE(vcpu().CanTakeInterrupt());
  EXPECT_EQ(m().Continue(), kHalt);
  EXPECT_FALSE(vcpu().CanTakeInterrupt());
}

TEST_P(EngineContractTest, AnInterruptBetweenTheElementsOfAStringLeavesTheRestForLater) {
  InstallHandlers();
  SetHandler(0x42, {0x48, 0xcf});  // iretq
  m().state().rflags |= kFlagIf;
  gpr(HV_RDX) = 0x80;
  gpr(HV_RSI) = Machine::kData;
  gpr(HV_RCX) = 3;
  EXPECT_EQ(Run({0xf3, 0x6e, 0xf4}), PortWrite(0x80, 1, 0));  // rep outsb
  vcpu().RequestInterruptWindow(true);
  int writes = 1;
  bool injected = false;
  Exit exit = m().Continue();
  for (int i = 0; i < 10 && exit.reason != ExitReason::kHalt; ++i, exit = m().Continue()) {
    if (exit.reason == ExitReason::kPortWrite) ++writes;
    if (injected || !vcpu().CanTakeInterrupt()) continue;
    vcpu().InjectInterrupt(0x42);
    vcpu().RequestInterruptWindow(false);
    injected = true;
  }
  EXPECT_EQ(exit, kHalt);
  EXPECT_TRUE(injected);
  EXPECT_EQ(writes, 3);
  EXPECT_EQ(gpr(HV_RCX), 0u);
}

TEST_P(EngineContractTest, AnNmiIsTakenThoughInterruptsAreOffAndOneAtATime) {
  InstallHandlers();
  SetHandler(2, {0xff, 0xc3, 0xe6, 0x81, 0x48, 0xcf});  // inc ebx; out 0x81, al; iretq
  EXPECT_EQ(Run({0xe6, 0x80, 0xf4}), PortWrite(0x80, 1, 0));
  ASSERT_TRUE(vcpu().CanTakeNmi());
  vcpu().InjectNmi();
  EXPECT_EQ(m().Continue(), PortWrite(0x81, 1, 0));
  EXPECT_EQ(gpr(HV_RBX), 1u);
  EXPECT_EQ(m().state().nmi_blocked, 1u);
  EXPECT_EQ(m().Continue(), kHalt);
  EXPECT_EQ(m().state().nmi_blocked, 0u);
  EXPECT_EQ(m().state().rip, Machine::kCode + 3);
}

// --- The end of a run.

TEST_P(EngineContractTest, AttentionThatIsWantedKeepsTheGuestFromRunning) {
  m().attention = 1;
  EXPECT_EQ(Run({0xff, 0xc0, 0xeb, 0xfc}).reason, ExitReason::kAttention);  // inc eax; jmp
  EXPECT_EQ(m().state().rip, Machine::kCode);
}

TEST_P(EngineContractTest, AFaultWithoutHandlersIsAShutdownUntilAStateIsSet) {
  EXPECT_EQ(Run({0x0f, 0x0b}).reason, ExitReason::kShutdown);  // ud2
  EXPECT_EQ(m().Continue().reason, ExitReason::kShutdown);
  EXPECT_FALSE(vcpu().Describe().empty());
  m().LoadCode({0xf4});
  m().state() = soft::LongMode();
  engines::FitState(GetParam(), m().state());
  m().state().rip = Machine::kCode;
  EXPECT_EQ(m().Run(), kHalt);
}

TEST_P(EngineContractTest, AStateThatNoCpuIsInIsRefused) {
  m().state().cr0 = 0x80000000;  // paging without protection
  EXPECT_EQ(vcpu().SetState(m().state()).code(), absl::StatusCode::kInvalidArgument);
}

TEST_P(EngineContractTest, RegistersComeBackAsTheyWereSet) {
  hv_vcpu_state& state = m().state();
  for (int i = 0; i < 16; ++i) state.gpr[i] = 0x1111111111111111u * i;
  state.cr2 = 0x1234567890;
  state.star = 0x0013000800000000;
  state.lstar = 0xffffffff81000000;
  state.sfmask = 0x47700;
  state.kernel_gs_base = 0xffff888000000000;
  state.sysenter_cs = 0x10;
  state.sysenter_esp = 0x80001000;  // AMD's CPUs have 32 bits of these
  state.sysenter_eip = 0x82000000;
  state.dr[0] = 0x100500;
  state.segment[HV_FS].base = 0x7f0000001000;
  state.segment[HV_GS].base = 0xffff888000002000;
  state.tsc_offset = 12345;
  state.nmi_blocked = 1;
  state.idtr = {.base = 0xfffffe0000000000, .limit = 0xfff, .reserved = {}};
  ASSERT_TRUE(vcpu().SetState(state).ok());
  const auto now = std::make_unique<hv_vcpu_state>();
  vcpu().GetState(*now);
  for (int i = 0; i < 16; ++i) EXPECT_EQ(now->gpr[i], state.gpr[i]) << i;
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(now->segment[i].base, state.segment[i].base) << i;
    EXPECT_EQ(now->segment[i].selector, state.segment[i].selector) << i;
    EXPECT_EQ(now->segment[i].limit, state.segment[i].limit) << i;
    EXPECT_EQ(now->segment[i].attributes, state.segment[i].attributes) << i;
  }
#define HV_SAME(field) EXPECT_EQ(now->field, state.field)
  HV_SAME(rip);
  HV_SAME(rflags);
  HV_SAME(cr0);
  HV_SAME(cr2);
  HV_SAME(cr3);
  HV_SAME(cr4);
  HV_SAME(efer);
  HV_SAME(xcr0);
  HV_SAME(star);
  HV_SAME(lstar);
  HV_SAME(sfmask);
  HV_SAME(kernel_gs_base);
  HV_SAME(sysenter_cs);
  HV_SAME(sysenter_esp);
  HV_SAME(sysenter_eip);
  HV_SAME(pat);
  HV_SAME(dr[0]);
  HV_SAME(dr[6]);
  HV_SAME(dr[7]);
  HV_SAME(tsc_offset);
  HV_SAME(nmi_blocked);
  HV_SAME(idtr.base);
  HV_SAME(idtr.limit);
#undef HV_SAME
}

TEST_P(EngineContractTest, TheBytesAtRipAreThoseOfTheGuest) {
  EXPECT_EQ(Run({0xf4, 0x90, 0xcc}), kHalt);
  EXPECT_EQ(vcpu().BytesAtRip().substr(0, 2), "\x90\xcc");
}

// --- Modes.

TEST_P(EngineContractTest, RealModeRuns) {
  EnterRealMode();
  constexpr uint8_t kCode[] = {0xb8, 0x34, 0x12,              // mov ax, 0x1234
                               0x8e, 0xd8,                    // mov ds, ax
                               0xc6, 0x06, 0x00, 0x00, 0x77,  // mov byte [0], 0x77
                               0xe7, 0x80,                    // out 0x80, ax
                               0xf4};
  m().Load(0x10000, kCode);
  EXPECT_EQ(m().Run(), PortWrite(0x80, 2, 0x1234));
  EXPECT_EQ(m().Continue(), kHalt);
  EXPECT_EQ(m().Peek<uint8_t>(0x12340), 0x77);
  EXPECT_EQ(m().state().segment[HV_DS].base, 0x12340u);
}

TEST_P(EngineContractTest, AnInterruptInRealModeIsTakenByTheVectorTable) {
  EnterRealMode();
  constexpr uint8_t kCode[] = {0xf4, 0xe6, 0x80, 0xf4};  // hlt; out 0x80, al; hlt
  constexpr uint8_t kHandler[] = {0xb0, 0x5a, 0xcf};     // mov al, 0x5a; iret
  m().Load(0x10000, kCode);
  m().Load(0x20000, kHandler);
  m().Poke<uint32_t>(0x20 * 4, 0x20000000);
  m().state().rflags |= kFlagIf;
  EXPECT_EQ(m().Run(), kHalt);
  ASSERT_TRUE(vcpu().CanTakeInterrupt());
  vcpu().InjectInterrupt(0x20);
  EXPECT_EQ(m().Continue(), PortWrite(0x80, 1, 0x5a));
}

TEST_P(EngineContractTest, ProtectedModeWithoutPagingRuns) {
  EnterProtectedMode();
  EXPECT_EQ(Run({0xb8, 0x78, 0x56, 0x34, 0x12,  // mov eax, 0x12345678
                 0xa3, 0x00, 0x00, 0x20, 0x00,  // mov [kData], eax
                 0xa1, 0x00, 0x00, 0x00, 0x3f,  // mov eax, [kDevice]
                 0xf4}),
            MmioRead(kDevice, 4));
  vcpu().CompleteRead(0x99);
  EXPECT_EQ(m().Continue(), kHalt);
  EXPECT_EQ(m().Peek<uint32_t>(Machine::kData), 0x12345678u);
  EXPECT_EQ(gpr(HV_RAX), 0x99u);
}

}  // namespace
}  // namespace hv
