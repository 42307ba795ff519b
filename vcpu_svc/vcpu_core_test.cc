#include "vcpu_svc/vcpu_core.h"

#include "gtest/gtest.h"
#include "vcpu_svc/test_machine.h"

namespace hv::vcpu {
namespace {

TEST(VcpuCore, AtPowerOnTheBootCpuRunsAndTheOthersWait) {
  TestMachine machine(3);
  EXPECT_EQ(machine.vcpu(0).waits_for_sipi, 0);
  EXPECT_EQ(machine.vcpu(1).waits_for_sipi, 1);
  EXPECT_EQ(machine.vcpu(2).waits_for_sipi, 1);
  for (uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(machine.apic(i).id, i);
    EXPECT_EQ(machine.Offer(i), 0u);
    EXPECT_EQ(machine.wakes[i], 0);
  }
}

TEST(VcpuCore, AtPowerOnMsrsHaveTheirResetValues) {
  for (const bool intel : {true, false}) {
    TestMachine machine(2, intel);
    int registers = 0;
    ForEachStoredMsr(intel, [&](uint32_t, const MsrRow& row, int slot) {
      EXPECT_EQ(machine.vcpu(1).msr[slot], row.reset) << row.name;
      ++registers;
    });
    EXPECT_GT(registers, 0);
  }
}

TEST(VcpuCore, AnIdleTickChangesAndSendsNothing) {
  TestMachine machine(3);
  const std::string before = machine.Bytes();
  machine.wake_at_ns = 0;
  machine.Tick();
  EXPECT_EQ(machine.Bytes(), before);
  EXPECT_TRUE(machine.sent.empty());
  EXPECT_EQ(machine.wake_at_ns, service::kNever);
}

TEST(VcpuCore, ShowingTheStateAgainDisturbsNobody) {
  TestMachine machine(2);
  machine.Interrupt({.destination = 0, .delivery_mode = HV_DELIVERY_NMI});
  ASSERT_EQ(machine.wakes[0], 1);
  machine.core().Project(&machine.state());
  EXPECT_EQ(machine.wakes[0], 1);
}

TEST(VcpuCore, ItsStateFitsTheStateSegmentWithEveryVcpu) {
  TestMachine machine(HV_MAX_VCPUS);
  EXPECT_LE(machine.core().state_bytes(), HV_STATE_MAX_BYTES);
}

// An operating system starts a CPU: INIT, SIPI, SIPI (MultiProcessor Specification 1.4, B.4).
TEST(VcpuCore, AProcessorIsStarted) {
  TestMachine machine(2);
  machine.WriteApic(0, ApicRegister::kSvr, 0x1ff);
  machine.WriteApic(0, ApicRegister::kIcrHigh, 0x01000000);
  machine.WriteApic(0, ApicRegister::kIcrLow, 0xc500);  // INIT, level, assert
  EXPECT_EQ(machine.Offer(1), HV_PENDING_INIT);
  machine.WriteApic(0, ApicRegister::kIcrLow, 0x8500);  // de-assert
  EXPECT_TRUE(machine.TakeAndReport(1));
  machine.WriteApic(0, ApicRegister::kIcrLow, 0x4608);  // start at 8000H
  EXPECT_EQ(machine.Offer(1), HV_PENDING_SIPI | 8);
  EXPECT_TRUE(machine.TakeAndReport(1));
  machine.WriteApic(0, ApicRegister::kIcrLow, 0x4608);
  EXPECT_EQ(machine.Offer(1), 0u);
  machine.WriteApic(1, ApicRegister::kSvr, 0x1ff);
  machine.WriteApic(0, ApicRegister::kIcrLow, 0x4051);
  EXPECT_EQ(machine.Offer(1), HV_PENDING_INTERRUPT | 0x51);
}

}  // namespace
}  // namespace hv::vcpu
