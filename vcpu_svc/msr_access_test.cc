#include "vcpu_svc/msr_access.h"

#include "gtest/gtest.h"
#include "vcpu_svc/test_machine.h"

namespace hv::vcpu {
namespace {

constexpr uint32_t kApicBaseMsr = 0x1b, kTscDeadlineMsr = 0x6e0, kX2apicMsrs = 0x800;
constexpr uint32_t kVcpu = 1;

// Both vendors.
class MsrAccessTest : public testing::TestWithParam<bool> {
 protected:
  std::optional<uint64_t> Read(uint32_t index) {
    Machine machine = machine_.At(0);
    return ReadMsr(machine, kVcpu, index);
  }
  bool Write(uint32_t index, uint64_t value) {
    Machine machine = machine_.At(0);
    effects_ = {};
    return WriteMsr(machine, kVcpu, index, value, effects_);
  }

  TestMachine machine_{2, GetParam()};
  Effects effects_;
};

INSTANTIATE_TEST_SUITE_P(Vendors, MsrAccessTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Intel" : "Amd"; });

TEST_P(MsrAccessTest, EveryRowFollowsItsRule) {
  for (const MsrRow& row : MsrTable()) {
    for (uint32_t n = 0; n < row.count; ++n) {
      const uint32_t index = row.index + n * row.stride;
      SCOPED_TRACE(row.name);
      if (FindMsr(index, GetParam()).row != &row) {
        EXPECT_EQ(Read(index), std::nullopt);
        EXPECT_FALSE(Write(index, row.reset));
        continue;
      }
      const bool readable = row.rule != WriteRule::kWriteOnly;
      EXPECT_EQ(Read(index), readable ? std::optional(row.reset) : std::nullopt);
      EXPECT_EQ(Write(index, 0), row.rule != WriteRule::kReadOnly);
      if (!readable) continue;
      EXPECT_EQ(Read(index), row.stored() ? 0 : row.reset);
    }
  }
}

TEST_P(MsrAccessTest, StoredRegistersKeepWhatTheyAcceptAndRefuseTheRest) {
  ForEachStoredMsr(GetParam(), [this](uint32_t index, const MsrRow& row, int) {
    SCOPED_TRACE(row.name);
    const uint64_t value =
        row.memory_types == 0 ? row.writable : row.writable & ~0x0202020202020202;
    if (row.Accepts(value)) {
      EXPECT_TRUE(Write(index, value));
      EXPECT_EQ(Read(index), value);
    }
    if (row.writable == UINT64_MAX) return;
    EXPECT_FALSE(Write(index, ~row.writable));
    EXPECT_TRUE(Read(index) != ~row.writable);
  });
}

TEST_P(MsrAccessTest, RegistersOfOneVcpuAreNotThoseOfAnother) {
  ASSERT_TRUE(Write(0x2ff, 0));
  Machine machine = machine_.At(0);
  EXPECT_EQ(ReadMsr(machine, 0, 0x2ff), 0x806u);
}

TEST_P(MsrAccessTest, UnknownRegistersFault) {
  for (const uint32_t index : {0u, 0x48u, 0x49u, 0x480u, 0x7ffu, 0x900u, 0x40000000u, 0xc0000100u,
                               0xc0010000u, 0xffffffffu}) {
    EXPECT_EQ(Read(index), std::nullopt) << std::hex << index;
    EXPECT_FALSE(Write(index, 0)) << std::hex << index;
  }
}

TEST_P(MsrAccessTest, ArchCapabilitiesAreIntelsAndReadOnly) {
  const auto expected = GetParam() ? std::optional(TestMachine::kArchCapabilities) : std::nullopt;
  EXPECT_EQ(Read(0x10a), expected);
  EXPECT_FALSE(Write(0x10a, 0));
}

TEST_P(MsrAccessTest, TheApicBaseIsTheLocalApics) {
  EXPECT_EQ(Read(kApicBaseMsr), 0xfee00800u);
  EXPECT_FALSE(Write(kApicBaseMsr, 0xfee00400));
  EXPECT_TRUE(Write(kApicBaseMsr, 0xfee00c00));
  EXPECT_EQ(Read(kApicBaseMsr), 0xfee00c00u);
}

TEST_P(MsrAccessTest, X2apicRegistersAppearWithTheirMode) {
  EXPECT_EQ(Read(kX2apicMsrs + ApicRegister::kId), std::nullopt);
  EXPECT_FALSE(Write(kX2apicMsrs + ApicRegister::kTpr, 0x20));
  ASSERT_TRUE(Write(kApicBaseMsr, 0xfee00c00));
  EXPECT_EQ(Read(kX2apicMsrs + ApicRegister::kId), kVcpu);
  EXPECT_TRUE(Write(kX2apicMsrs + ApicRegister::kTpr, 0x20));
  EXPECT_EQ(Read(kX2apicMsrs + ApicRegister::kTpr), 0x20u);
  EXPECT_EQ(Read(kX2apicMsrs + 0xff), std::nullopt);
}

TEST_P(MsrAccessTest, TheTscDeadlineReadsZeroOutsideItsMode) {
  EXPECT_TRUE(Write(kTscDeadlineMsr, 12345));
  EXPECT_EQ(Read(kTscDeadlineMsr), 0u);
  EXPECT_FALSE(effects_.timer_changed);
  machine_.apic(kVcpu).lvt[0] = 2u << 17 | 0x40;
  EXPECT_TRUE(Write(kTscDeadlineMsr, 12345));
  EXPECT_EQ(Read(kTscDeadlineMsr), 12345u);
  EXPECT_TRUE(effects_.timer_changed);
}

}  // namespace
}  // namespace hv::vcpu
