#include <functional>
#include <random>

#include "gtest/gtest.h"
#include "proto/hv/v1/vcpu_state.pb.h"
#include "vcpu_svc/test_machine.h"

namespace hv::vcpu {
namespace {

using hv::v1::VcpuApicState;
using hv::v1::VcpuServiceState;

constexpr uint32_t kCpus = 3;

class VcpuExportTest : public testing::Test {
 protected:
  // A machine in which something of everything has happened.
  VcpuExportTest() {
    machine_.WriteApic(0, ApicRegister::kSvr, 0x1ff);
    machine_.WriteApic(0, ApicRegister::kLdr, 0x01000000);
    machine_.WriteApic(0, ApicRegister::kTpr, 0x20);
    machine_.WriteApic(0, ApicRegister::kLvtTimer, 1u << 17 | 0xec);
    machine_.WriteApic(0, ApicRegister::kInitialCount, 123456);
    machine_.WriteApic(0, ApicRegister::kIcrHigh, 0x01000000);
    machine_.WriteApic(0, ApicRegister::kIcrLow, HV_DELIVERY_STARTUP << 8 | 0x9f);
    machine_.WriteApic(0, 0, 0);  // an error
    machine_.Interrupt({.destination = 0, .vector = 0x80, .level = 1, .assert_level = 1});
    machine_.TakeAndReport(0);
    machine_.Interrupt({.destination = 0, .vector = 0x91});
    machine_.Interrupt({.destination = 0, .delivery_mode = HV_DELIVERY_NMI});
    machine_.WriteMsr(0, 0x2ff, 0xc00);
    machine_.Intr(true, 0x30);
    machine_.WriteMsr(2, 0x1b, machine_.apic(2).base | ApicBase::kX2apic);
  }
  std::string Export(TestMachine& machine) {
    auto bytes = machine.core().Export(&machine.state());
    EXPECT_TRUE(bytes.ok());
    return bytes.value_or("");
  }
  absl::Status Import(TestMachine& machine, const std::string& bytes) {
    return machine.core().Import(&machine.state(), bytes);
  }
  // The refusal of the machine's state with one change; "accepted" when there is none.
  std::string Refusal(const std::function<void(VcpuServiceState&)>& change) {
    VcpuServiceState state;
    EXPECT_TRUE(state.ParseFromString(Export(machine_)));
    change(state);
    TestMachine other(kCpus);
    const std::string before = other.Bytes();
    const absl::Status status = Import(other, state.SerializeAsString());
    if (status.ok()) return "accepted";
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(other.Bytes(), before);
    return std::string(status.message());
  }
  std::string VcpuRefusal(const std::function<void(VcpuApicState&)>& change, int vcpu = 0) {
    return Refusal([&](VcpuServiceState& state) { change(*state.mutable_vcpus(vcpu)); });
  }

  TestMachine machine_{kCpus};
};

TEST_F(VcpuExportTest, ImportGivesBackEveryByte) {
  TestMachine other(kCpus);
  ASSERT_NE(other.Bytes(), machine_.Bytes());
  ASSERT_TRUE(Import(other, Export(machine_)).ok());
  EXPECT_EQ(other.Bytes(), machine_.Bytes());
}

TEST_F(VcpuExportTest, TheSameStateGivesTheSameBytes) {
  TestMachine other(kCpus);
  ASSERT_TRUE(Import(other, Export(machine_)).ok());
  EXPECT_EQ(Export(other), Export(machine_));
}

TEST_F(VcpuExportTest, WhatIsOwedGoesAlong) {
  TestMachine many(64), other(64);
  for (uint32_t i = 0; i < 64; ++i) {
    many.apic(i).timer.deadline_ns = 1000;
    many.apic(i).timer.initial_count = 1;
  }
  many.WriteApic(0, ApicRegister::kIcrLow, 2u << 18 | HV_DELIVERY_INIT << 8 | 1u << 14);
  ASSERT_EQ(many.vcpu(63).deadline_owed, 1);
  ASSERT_TRUE(Import(other, Export(many)).ok());
  EXPECT_EQ(other.Bytes(), many.Bytes());
}

TEST_F(VcpuExportTest, WhatWasPendingIsTakenInTheNewMachine) {
  TestMachine other(kCpus);
  ASSERT_TRUE(Import(other, Export(machine_)).ok());
  other.Tick();
  EXPECT_EQ(other.Offer(0), HV_PENDING_NMI | HV_PENDING_INTERRUPT | 0x91);
  EXPECT_TRUE(other.TakeAndReport(0));
  EXPECT_TRUE(other.TakeAndReport(0));
  EXPECT_TRUE(other.apic(0).isr.Has(0x91));
}

TEST_F(VcpuExportTest, MsrsThatAreNotGivenHaveTheirResetValues) {
  VcpuServiceState state;
  ASSERT_TRUE(state.ParseFromString(Export(machine_)));
  state.mutable_vcpus(0)->clear_msrs();
  ASSERT_TRUE(Import(machine_, state.SerializeAsString()).ok());
  Machine machine = machine_.At(0);
  EXPECT_EQ(machine.vcpu(0).msr[FindMsr(0x2ff, true).slot], 0x806u);
}

TEST_F(VcpuExportTest, BytesThatAreNoStateAreRefused) {
  EXPECT_FALSE(Import(machine_, "\xff\xff\xff").ok());
  EXPECT_FALSE(Import(machine_, "").ok());
}

TEST_F(VcpuExportTest, AnotherNumberOfVcpusIsRefusedNamingBoth) {
  EXPECT_EQ(Refusal([](VcpuServiceState& state) { state.mutable_vcpus()->RemoveLast(); }),
            "vcpus: the state has 2, this machine 3");
}

TEST_F(VcpuExportTest, MachineFieldsOutOfRangeAreRefused) {
  EXPECT_EQ(Refusal([](VcpuServiceState&) {}), "accepted");
  EXPECT_EQ(Refusal([](VcpuServiceState& state) { state.set_intr_vector(256); }),
            "intr_vector: 256 is no vector");
  EXPECT_EQ(Refusal([](VcpuServiceState& state) { state.set_round_robin(kCpus); }),
            "round_robin: there is no vCPU 3");
}

TEST_F(VcpuExportTest, RegistersOutOfRangeAreRefusedByName) {
  struct {
    const char* field;
    std::function<void(VcpuApicState&)> change;
  } const cases[] = {
      {"base", [](VcpuApicState& v) { v.set_base(0xfee00400); }},
      {"base", [](VcpuApicState& v) { v.set_base(0xfee00800); }},  // no boot CPU
      {"base", [](VcpuApicState& v) { v.set_base(v.base() | 1); }},
      {"id", [](VcpuApicState& v) { v.set_id(1); }},
      {"tpr", [](VcpuApicState& v) { v.set_tpr(0x100); }},
      {"ldr", [](VcpuApicState& v) { v.set_ldr(1); }},
      {"dfr", [](VcpuApicState& v) { v.set_dfr(0xf0000000); }},
      {"svr", [](VcpuApicState& v) { v.set_svr(1u << 9); }},
      {"esr", [](VcpuApicState& v) { v.set_esr(1); }},
      {"esr_latched", [](VcpuApicState& v) { v.set_esr_latched(1); }},
      {"icr_low", [](VcpuApicState& v) { v.set_icr_low(1u << 12); }},
      {"icr_high", [](VcpuApicState& v) { v.set_icr_high(1); }},
      {"lvt", [](VcpuApicState& v) { v.set_lvt(5, 1u << 17); }},
      {"lvt count", [](VcpuApicState& v) { v.add_lvt(0); }},
      {"divide", [](VcpuApicState& v) { v.set_divide(4); }},
      {"timer_deadline_ns", [](VcpuApicState& v) { v.set_initial_count(0); }},
      {"tsc_deadline", [](VcpuApicState& v) { v.set_tsc_deadline(1); }},
      {"initial_count", [](VcpuApicState& v) { v.set_lvt(0, 2u << 17); }},
      {"irr", [](VcpuApicState& v) { v.set_irr(0, 1u << 15); }},
      {"isr", [](VcpuApicState& v) { v.set_isr(0, 1); }},
      {"tmr", [](VcpuApicState& v) { v.set_tmr(0, 1); }},
      {"irr count", [](VcpuApicState& v) { v.mutable_irr()->RemoveLast(); }},
      {"isr count", [](VcpuApicState& v) { v.clear_isr(); }},
      {"tmr count", [](VcpuApicState& v) { v.add_tmr(0); }},
      {"msrs", [](VcpuApicState& v) { (*v.mutable_msrs())[0x10] = 0; }},
      {"msrs", [](VcpuApicState& v) { (*v.mutable_msrs())[0xc0011029] = 0; }},  // AMD's
      {"msrs[0x250]", [](VcpuApicState& v) { (*v.mutable_msrs())[0x250] = 2; }},
      {"published", [](VcpuApicState& v) { v.set_published(1u << 8); }},
      {"sipi_vector", [](VcpuApicState& v) { v.set_sipi_vector(256); }},
  };
  for (const auto& each : cases) {
    const std::string refusal = VcpuRefusal(each.change);
    EXPECT_EQ(refusal.rfind("vcpus[0]." + std::string(each.field) + ": ", 0), 0u)
        << each.field << ": " << refusal;
  }
}

TEST_F(VcpuExportTest, InX2apicModeTheLogicalIdFollowsFromTheId) {
  EXPECT_EQ(VcpuRefusal([](VcpuApicState& v) { v.set_icr_high(0x12345678); }, 2), "accepted");
  EXPECT_EQ(VcpuRefusal([](VcpuApicState& v) { v.set_ldr(0x01000000); }, 2),
            "vcpus[2].ldr: 0x1000000 is out of range");
}

// Fuzz: bytes of a state with random damage are refused, or taken and then exported as they were
// taken.
TEST_F(VcpuExportTest, DamagedBytesAreRefusedOrTakenWhole) {
  std::mt19937 random(0x5eed);
  const std::string good = Export(machine_);
  int taken = 0;
  for (int round = 0; round < 5000; ++round) {
    std::string bytes = good;
    for (uint32_t i = 0; i <= random() % 4; ++i) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    if (random() % 8 == 0) bytes.resize(random() % bytes.size());
    TestMachine other(kCpus);
    const std::string before = other.Bytes();
    if (!Import(other, bytes).ok()) {
      ASSERT_EQ(other.Bytes(), before);
      continue;
    }
    ++taken;
    TestMachine again(kCpus);
    ASSERT_TRUE(Import(again, Export(other)).ok());
    ASSERT_EQ(again.Bytes(), other.Bytes());
    for (uint32_t i = 0; i < kCpus; ++i) other.TakeAndReport(i);
    other.Tick();
  }
  EXPECT_GT(taken, 0);
}

}  // namespace
}  // namespace hv::vcpu
