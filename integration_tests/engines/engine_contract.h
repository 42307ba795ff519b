// What the cases of the engines' contract share: a machine of each engine that this host can run,
// and exits to compare with.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "hv_kernel/soft/test_machine.h"
#include "integration_tests/engines/engines.h"

namespace hv {

inline void PrintTo(const Exit& exit, std::ostream* out) {
  *out << "reason " << static_cast<int>(exit.reason) << std::hex << " at 0x" << exit.address
       << std::dec << ", " << int{exit.width} << " bytes" << std::hex << ", data 0x" << exit.data
       << std::dec;
}
inline bool operator==(const Exit& a, const Exit& b) {
  return a.reason == b.reason && a.width == b.width && a.address == b.address && a.data == b.data;
}

namespace engines {

using Machine = soft::TestMachine;
using Code = std::initializer_list<uint8_t>;

inline constexpr uint64_t kDevice = 0x3f000000;  // mapped, but no RAM there
inline constexpr uint64_t kPage = 4096;
inline constexpr uint64_t kFlagIf = 1 << 9;
inline constexpr uint64_t kIdt = 0x8000, kGdt = 0x9000, kHandlers = Machine::kCode + 0x1000;
inline constexpr uint64_t kHandlerBytes = 16;

inline Exit PortRead(uint64_t port, uint8_t width) {
  return {ExitReason::kPortRead, width, port, 0};
}
inline Exit PortWrite(uint64_t port, uint8_t width, uint64_t data) {
  return {ExitReason::kPortWrite, width, port, data};
}
inline Exit MmioRead(uint64_t address, uint8_t width) {
  return {ExitReason::kMmioRead, width, address, 0};
}
inline Exit MmioWrite(uint64_t address, uint8_t width, uint64_t data) {
  return {ExitReason::kMmioWrite, width, address, data};
}
inline Exit MsrWrite(uint64_t index, uint64_t data) {
  return {ExitReason::kMsrWrite, 8, index, data};
}
inline constexpr Exit kHalt{ExitReason::kHalt};
inline constexpr Exit kWindow{ExitReason::kInterruptWindow};

class EngineContract : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    auto engine = MakeEngine(GetParam());
    if (absl::IsFailedPrecondition(engine.status())) GTEST_SKIP() << engine.status().message();
    ASSERT_TRUE(engine.ok()) << engine.status();
    machine_ = std::make_unique<Machine>(*std::move(engine), CpuidTable());
    FitState(GetParam(), m().state());
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

}  // namespace engines
}  // namespace hv
