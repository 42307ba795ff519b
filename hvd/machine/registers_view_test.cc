#include "hvd/machine/registers_view.h"

#include <gtest/gtest.h>

#include <set>

#include "abi/vcpu_state.h"

namespace hv::hvd {
namespace {

std::string BytesOf(const hv_vcpu_state& state) {
  return {reinterpret_cast<const char*>(&state), sizeof(state)};
}

uint64_t Value(const hv::v1::Registers& registers, const std::string& name) {
  for (const auto& entry : registers.registers()) {
    if (entry.name() == name) return entry.value();
  }
  ADD_FAILURE() << "no register " << name;
  return 0;
}

TEST(RegistersViewTest, RegistersCarryTheirNames) {
  hv_vcpu_state state{};
  state.gpr[HV_RSP] = 0x1234;
  state.rip = 0xffffffff81000000;
  state.efer = 0xd01;
  state.segment[HV_CS] = {.base = 1, .limit = 2, .selector = 0x10, .attributes = 0xa09b};
  state.activity = HV_ACTIVITY_HALTED;
  const auto shown = ShowRegisters(3, BytesOf(state));
  ASSERT_TRUE(shown.ok()) << shown.status();
  EXPECT_EQ(shown->vcpu(), 3u);
  EXPECT_EQ(Value(*shown, "rsp"), 0x1234u);
  EXPECT_EQ(Value(*shown, "rip"), 0xffffffff81000000u);
  EXPECT_EQ(Value(*shown, "efer"), 0xd01u);
  EXPECT_EQ(shown->segments(1).name(), "cs");
  EXPECT_EQ(shown->segments(1).selector(), 0x10u);
  EXPECT_EQ(shown->segments(1).attributes(), 0xa09bu);
  EXPECT_EQ(shown->activity(), "halted");
}

TEST(RegistersViewTest, BytesOfAnotherSizeAreRefused) {
  EXPECT_EQ(ShowRegisters(0, "short").status().code(), absl::StatusCode::kInternal);
}

TEST(RegistersViewTest, DebugExitStatusIsThatOfQemu) {
  InstanceEnd end{.cause = hv::v1::EXIT_CAUSE_DEBUG_EXIT};
  EXPECT_EQ(ShowEnd(end).status(), 1u);
  end.value = 0x10;
  EXPECT_EQ(ShowEnd(end).status(), 33u);
  end.value = 0xff;
  EXPECT_EQ(ShowEnd(end).status(), 255u);
}

TEST(RegistersViewTest, OtherStatusesAreNoDebugExitsAndOnlyPowerOffIsZero) {
  for (int cause = hv::v1::ExitCause_MIN + 1; cause <= hv::v1::ExitCause_MAX; ++cause) {
    if (cause == hv::v1::EXIT_CAUSE_DEBUG_EXIT) continue;
    const auto shown = ShowEnd({.cause = static_cast<hv::v1::ExitCause>(cause)});
    EXPECT_EQ(shown.status() % 2, 0u) << shown.message();
    EXPECT_EQ(shown.status() == 0, cause == hv::v1::EXIT_CAUSE_POWER_OFF) << shown.message();
  }
}

TEST(RegistersViewTest, CrashShowsRegistersBytesAndLastExits) {
  hv_vcpu_state state{};
  state.rip = 0x7c00;
  hv::v1::KernelExit report;
  report.set_vcpu(1);
  report.set_vcpu_state(BytesOf(state));
  report.set_bytes_at_rip("\x0f\x0b");
  auto& exit = *report.add_last_exits();
  exit.set_reason("port_write");
  exit.set_address(0x80);
  const auto shown = ShowEnd({.cause = hv::v1::EXIT_CAUSE_TRIPLE_FAULT,
                              .message = "no IDT entry for vector 13",
                              .report = report});
  EXPECT_EQ(shown.message(), "triple fault: no IDT entry for vector 13");
  EXPECT_EQ(Value(shown.crash().registers(), "rip"), 0x7c00u);
  EXPECT_EQ(shown.crash().bytes_at_rip(), "\x0f\x0b");
  ASSERT_EQ(shown.crash().last_exits_size(), 1);
  EXPECT_EQ(shown.crash().last_exits(0).address(), 0x80u);
  EXPECT_FALSE(ShowEnd({.cause = hv::v1::EXIT_CAUSE_POWER_OFF, .report = report}).has_crash());
}

}  // namespace
}  // namespace hv::hvd
