// The contract of engine.h: model-specific registers, CR8, registers in and out, modes.
#include "integration_tests/engines/engine_contract.h"

namespace hv {
namespace {

using namespace engines;  // NOLINT(google-build-using-namespace)

class CpuContractTest : public EngineContract {};

INSTANTIATE_TEST_SUITE_P(Engines, CpuContractTest, testing::ValuesIn(engines::kEngines),
                         [](const auto& info) { return std::string(info.param); });

// --- Model-specific registers, CR8.

TEST_P(CpuContractTest, MsrsOfTheServiceLeaveAndThoseOfTheCpuDoNot) {
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

TEST_P(CpuContractTest, AnMsrThatIsRefusedIsGeneralProtection) {
  InstallHandlers();
  gpr(HV_RCX) = 0x12345;
  EXPECT_EQ(Run({0x0f, 0x32, 0xf4}).reason, ExitReason::kMsrRead);
  vcpu().CompleteWithFault();
  EXPECT_EQ(m().Continue(), kHalt);
  EXPECT_EQ(m().state().rip, After(13));
  EXPECT_EQ(m().Peek<uint64_t>(gpr(HV_RSP)), 0u);
  EXPECT_EQ(m().Peek<uint64_t>(gpr(HV_RSP) + 8), Machine::kCode);
}

TEST_P(CpuContractTest, AnImpossibleValueOfTheCpusOwnMsrsIsGeneralProtection) {
  InstallHandlers();
  gpr(HV_RCX) = 0xc0000080;  // EFER
  gpr(HV_RAX) = gpr(HV_RDX) = 0xffffffff;
  EXPECT_EQ(Run({0x0f, 0x30, 0xf4}), kHalt);
  EXPECT_EQ(m().state().rip, After(13));
}

TEST_P(CpuContractTest, AWriteOfTheTscLeavesWithItsNewAdjustment) {
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

TEST_P(CpuContractTest, TheTscGoesOnFromWhatWasWritten) {
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
TEST_P(CpuContractTest, WritesOfCr8AreKnownBeforeTheNextExit) {
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

// --- The end of a run.

TEST_P(CpuContractTest, AttentionThatIsWantedKeepsTheGuestFromRunning) {
  m().attention = 1;
  EXPECT_EQ(Run({0xff, 0xc0, 0xeb, 0xfc}).reason, ExitReason::kAttention);  // inc eax; jmp
  EXPECT_EQ(m().state().rip, Machine::kCode);
}

TEST_P(CpuContractTest, AFaultWithoutHandlersIsAShutdownUntilAStateIsSet) {
  EXPECT_EQ(Run({0x0f, 0x0b}).reason, ExitReason::kShutdown);  // ud2
  EXPECT_EQ(m().Continue().reason, ExitReason::kShutdown);
  EXPECT_FALSE(vcpu().Describe().empty());
  m().LoadCode({0xf4});
  m().state() = soft::LongMode();
  engines::FitState(GetParam(), m().state());
  m().state().rip = Machine::kCode;
  EXPECT_EQ(m().Run(), kHalt);
}

TEST_P(CpuContractTest, AStateThatNoCpuIsInIsRefused) {
  m().state().cr0 = 0x80000000;  // paging without protection
  EXPECT_EQ(vcpu().SetState(m().state()).code(), absl::StatusCode::kInvalidArgument);
}

TEST_P(CpuContractTest, RegistersComeBackAsTheyWereSet) {
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

TEST_P(CpuContractTest, TheBytesAtRipAreThoseOfTheGuest) {
  EXPECT_EQ(Run({0xf4, 0x90, 0xcc}), kHalt);
  EXPECT_EQ(vcpu().BytesAtRip().substr(0, 2), "\x90\xcc");
}

// --- Modes.

TEST_P(CpuContractTest, RealModeRuns) {
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

TEST_P(CpuContractTest, AnInterruptInRealModeIsTakenByTheVectorTable) {
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

TEST_P(CpuContractTest, ProtectedModeWithoutPagingRuns) {
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
