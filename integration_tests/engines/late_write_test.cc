// The contract of engine.h: late and counted writes (Engine::SetRoutes). An engine may let them
// leave the guest as any write; what comes out, and in which order, is the same.
#include <gtest/gtest.h>

#include <initializer_list>
#include <thread>

#include "hv_kernel/kvm/capabilities.h"
#include "hv_kernel/kvm/kvm_engine.h"
#include "hv_kernel/kvm/late_ring.h"
#include "integration_tests/engines/engine_contract.h"
#include "integration_tests/engines/late_machine.h"

namespace hv {
namespace {

using namespace engines;  // NOLINT(google-build-using-namespace)
using Exits = std::vector<Exit>;

constexpr uint16_t kLatePort = LateMachine::kLatePort;
constexpr uint64_t kLateMemory = LateMachine::kLateMemory;
// As many as the ring of KVM has room for, some times over.
constexpr uint64_t kMany = 1000;

class LateWriteTest : public testing::TestWithParam<const char*> {
 protected:
  void Make(uint32_t vcpus = 1) {
    auto engine = MakeEngine(GetParam());
    if (absl::IsFailedPrecondition(engine.status())) GTEST_SKIP() << engine.status().message();
    ASSERT_TRUE(engine.ok()) << engine.status();
    machine_ = std::make_unique<LateMachine>(*std::move(engine), GetParam(), vcpus);
  }
  void SetUp() override { Make(); }

  LateMachine& m() { return *machine_; }
  LateMachine::Vcpu& vcpu() { return m().vcpu(); }
  Exit Run(std::initializer_list<uint8_t> code) {
    m().Load(LateMachine::kCode, {code.begin(), code.size()});
    return vcpu().Begin();
  }

  std::unique_ptr<LateMachine> machine_;
};

INSTANTIATE_TEST_SUITE_P(Engines, LateWriteTest, testing::ValuesIn(engines::kEngines),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(LateWriteTest, LateWritesComeOutBeforeWhateverTheVcpuLeavesForNext) {
  vcpu().gpr(HV_RDX) = kLatePort;
  vcpu().gpr(HV_RAX) = 0x41;
  EXPECT_EQ(Run({0xee, 0xff, 0xc0,  // out dx, al; inc eax
                 0xee, 0xff, 0xc0,  // the same
                 0xe4, 0x61,        // in al, 0x61
                 0xee,              // out dx, al
                 0xe6, 0x61,        // out 0x61, al
                 0xee,              // out dx, al
                 0xf4}),
            PortRead(0x61, 1));
  EXPECT_EQ(m().log.all(), (Exits{PortWrite(kLatePort, 1, 0x41), PortWrite(kLatePort, 1, 0x42)}));
  vcpu().engine().CompleteRead(0x77);
  EXPECT_EQ(vcpu().Next(), PortWrite(0x61, 1, 0x77));
  EXPECT_EQ(m().log.all().size(), 3u);
  EXPECT_EQ(m().log.all().back(), PortWrite(kLatePort, 1, 0x77));
  EXPECT_EQ(vcpu().Next(), kHalt);
  EXPECT_EQ(m().log.all().size(), 4u);
}

TEST_P(LateWriteTest, PortsAndMemoryOfEveryWidthKeepTheirOrder) {
  vcpu().gpr(HV_RBX) = kLateMemory;
  vcpu().gpr(HV_RDX) = kLatePort;
  vcpu().gpr(HV_RAX) = 0x8877665544332211;
  EXPECT_EQ(Run({0x88, 0x03,              // mov [rbx], al
                 0x66, 0xef,              // out dx, ax
                 0x89, 0x43, 0x04,        // mov [rbx+4], eax
                 0xef,                    // out dx, eax
                 0x48, 0x89, 0x43, 0x08,  // mov [rbx+8], rax
                 0x66, 0x89, 0x43, 0x12,  // mov [rbx+18], ax
                 0xf4}),
            kHalt);
  EXPECT_EQ(m().log.all(),
            (Exits{MmioWrite(kLateMemory, 1, 0x11), PortWrite(kLatePort, 2, 0x2211),
                   MmioWrite(kLateMemory + 4, 4, 0x44332211), PortWrite(kLatePort, 4, 0x44332211),
                   MmioWrite(kLateMemory + 8, 8, 0x8877665544332211),
                   MmioWrite(kLateMemory + 18, 2, 0x2211)}));
}

TEST_P(LateWriteTest, MoreThanTheRingHoldsAreNotLost) {
  vcpu().gpr(HV_RDX) = kLatePort;
  vcpu().gpr(HV_RCX) = kMany;
  EXPECT_EQ(Run({0xef, 0xff, 0xc0,  // out dx, eax; inc eax
                 0xff, 0xc9,        // dec ecx
                 0x75, 0xf9,        // jnz to the first
                 0xf4}),
            kHalt);
  const Exits all = m().log.all();
  ASSERT_EQ(all.size(), kMany);
  for (uint64_t i = 0; i < kMany; ++i) ASSERT_EQ(all[i], PortWrite(kLatePort, 4, i));
}

// Reading the registers where one write finds the ring full has KVM go on with the instruction.
TEST_P(LateWriteTest, AStringIsNotTornWhereTheRingIsFull) {
  for (uint64_t i = 0; i < kMany; ++i) {
    m().Poke<uint8_t>(LateMachine::kData + i, static_cast<uint8_t>(i * 7));
  }
  vcpu().gpr(HV_RDX) = kLatePort;
  vcpu().gpr(HV_RSI) = LateMachine::kData;
  vcpu().gpr(HV_RCX) = kMany;
  constexpr uint8_t kCode[] = {0xf3, 0x6e, 0xf4};  // rep outsb
  m().Load(LateMachine::kCode, kCode);
  auto state = std::make_unique<hv_vcpu_state>();
  vcpu().at_late_exit = [&] { vcpu().engine().GetState(*state); };
  EXPECT_EQ(vcpu().Begin(), kHalt);
  vcpu().engine().GetState(*state);
  EXPECT_EQ(state->gpr[HV_RCX], 0u);
  const Exits all = m().log.all();
  ASSERT_EQ(all.size(), kMany);
  for (uint64_t i = 0; i < kMany; ++i) ASSERT_EQ(all[i], PortWrite(kLatePort, 1, i * 7 & 0xff));
}

TEST_P(LateWriteTest, AGuestThatWritesAndNeverLeavesIsHeard) {
  vcpu().gpr(HV_RDX) = kLatePort;
  vcpu().gpr(HV_RAX) = 0x41;
  std::thread runner([&] {
    const Exit exit = Run({0xee,          // out dx, al
                           0xeb, 0xfe});  // jmp to itself
    EXPECT_EQ(exit.reason, ExitReason::kAttention);
  });
  EXPECT_TRUE(m().log.WaitFor(1));
  vcpu().attention.store(1, std::memory_order_release);
  vcpu().engine().Kick();
  runner.join();
  EXPECT_EQ(m().log.all(), (Exits{PortWrite(kLatePort, 1, 0x41)}));
}

TEST_P(LateWriteTest, CountedWritesOfEveryWidthAreCountedAndReadsLeave) {
  vcpu().gpr(HV_RCX) = kMany;
  EXPECT_EQ(Run({0xe6, 0x80,        // out 0x80, al
                 0x66, 0xe7, 0x80,  // out 0x80, ax
                 0xe7, 0x80,        // out 0x80, eax
                 0xff, 0xc9,        // dec ecx
                 0x75, 0xf5,        // jnz to the first
                 0xe4, 0x80,        // in al, 0x80
                 0xe6, 0x81,        // out 0x81, al
                 0xf4}),
            PortRead(0x80, 1));
  EXPECT_EQ(m().CountedWrites(), 3 * kMany);
  vcpu().engine().CompleteRead(0xff);
  EXPECT_EQ(vcpu().Next(), PortWrite(0x81, 1, 0xff));
  EXPECT_EQ(vcpu().Next(), kHalt);
  EXPECT_EQ(m().CountedWrites(), 3 * kMany) << "asked again, and nothing was written since";
}

TEST_P(LateWriteTest, WritesOfARouteThatIsGoneLeave) {
  ASSERT_TRUE(m().engine().SetRoutes(LateMachine::Routes()).ok()) << "the same once more";
  ASSERT_TRUE(m().engine().SetRoutes(LateMachine::Routes().subspan(2)).ok());
  m().Load(LateMachine::kCode, std::initializer_list<uint8_t>{0xee,        // out dx, al
                                                              0xe6, 0x80,  // out 0x80, al
                                                              0x88, 0x03,  // mov [rbx], al
                                                              0xf4});
  vcpu().gpr(HV_RDX) = kLatePort;
  vcpu().gpr(HV_RBX) = kLateMemory;
  vcpu().gpr(HV_RAX) = 0x41;
  EXPECT_EQ(vcpu().Begin(), kHalt);
  EXPECT_EQ(m().log.all(), (Exits{PortWrite(kLatePort, 1, 0x41), MmioWrite(kLateMemory, 1, 0x41)}));
  EXPECT_EQ(m().counted_exits, 1u);
}

class LateWritesOfManyTest : public LateWriteTest {
 protected:
  static constexpr uint32_t kVcpus = 3;
  void SetUp() override { Make(kVcpus); }

  // Each writes `per_exit` numbers of its own, leaves, and so on `exits` times. Whenever one is
  // out, all that it wrote must have come out, in order.
  void RunAll(uint8_t mask, uint32_t exits) {
    m().Load(LateMachine::kCode,
             std::initializer_list<uint8_t>{0xef, 0xff, 0xc0,  // out dx, eax; inc eax
                                            0xa8, mask,        // test al, mask
                                            0x75, 0xf9,        // jnz to the first
                                            0xe6, 0x61,        // out 0x61, al
                                            0xff, 0xc9,        // dec ecx
                                            0x75, 0xf3,        // jnz to the first
                                            0xf4});
    const uint64_t per_exit = uint64_t{mask} + 1;
    std::vector<std::thread> threads;
    for (uint64_t i = 0; i < kVcpus; ++i) {
      threads.emplace_back([this, i, per_exit, exits] {
        LateMachine::Vcpu& vcpu = m().vcpu(i);
        vcpu.gpr(HV_RDX) = kLatePort;
        vcpu.gpr(HV_RAX) = i << 24;
        vcpu.gpr(HV_RCX) = exits;
        uint64_t expected = 0;
        for (Exit exit = vcpu.Begin(); exit.reason != ExitReason::kHalt; exit = vcpu.Next()) {
          ASSERT_EQ(exit.address, 0x61u);
          expected += per_exit;
          ASSERT_EQ(CountOf(i), expected);
        }
        EXPECT_EQ(expected, exits * per_exit);
        for (const Exit& write : vcpu.own()) EXPECT_EQ(write.data >> 24, i);
      });
    }
    for (auto& thread : threads) thread.join();
    uint64_t next[kVcpus] = {0, 1 << 24, 2 << 24};
    for (const Exit& write : m().log.all()) ASSERT_EQ(write.data, next[write.data >> 24]++);
  }
  uint64_t CountOf(uint64_t vcpu) {
    uint64_t count = 0;
    for (const Exit& write : m().log.all()) count += write.data >> 24 == vcpu ? 1 : 0;
    return count;
  }
};

INSTANTIATE_TEST_SUITE_P(Engines, LateWritesOfManyTest, testing::ValuesIn(engines::kEngines),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(LateWritesOfManyTest, EachVcpusComeOutInOrderBeforeItsExits) { RunAll(0x0f, 200); }

TEST_P(LateWritesOfManyTest, AlsoWhereTheyFillTheRing) { RunAll(0xff, 12); }

// What KVM is asked to spare, to the exit.
class KvmExitsTest : public testing::Test {
 protected:
  void SetUp() override {
    auto device = kvm::OpenDevice();
    if (!device.ok()) GTEST_SKIP() << device.status().message();
    auto capabilities = kvm::CheckCapabilities(device->get());
    if (!capabilities.ok()) GTEST_SKIP() << capabilities.status().message();
    capabilities_ = *capabilities;
    machine_ = std::make_unique<LateMachine>(MakeEngine("kvm").value(), "kvm", 1);
  }
  // Entries into the guest that the code takes until its HLT, but for those after a kick.
  uint64_t Entries(std::initializer_list<uint8_t> code) {
    machine_->Load(LateMachine::kCode, {code.begin(), code.size()});
    const uint64_t before = machine_->Counter("kvm_run");
    EXPECT_EQ(machine_->vcpu().Begin(), kHalt);
    return machine_->Counter("kvm_run") - before - machine_->vcpu().looks_for_nothing;
  }

  kvm::Capabilities capabilities_;
  std::unique_ptr<LateMachine> machine_;
};

TEST_F(KvmExitsTest, AWriteThatIsCountedTakesNone) {
  if (!capabilities_.counted_ports) GTEST_SKIP() << "this KVM has no KVM_CAP_IOEVENTFD_ANY_LENGTH";
  machine_->vcpu().gpr(HV_RCX) = kMany;
  EXPECT_EQ(Entries({0xe6, 0x80,  // out 0x80, al
                     0xff, 0xc9,  // dec ecx
                     0x75, 0xfa,  // jnz to the first
                     0xf4}),
            1u);
  EXPECT_EQ(machine_->engine().CountedWrites(), kMany);
}

TEST_F(KvmExitsTest, LateWritesTakeOneForEachRingful) {
  if (!capabilities_.late_ports) GTEST_SKIP() << "this KVM has no KVM_CAP_COALESCED_PIO";
  machine_->vcpu().gpr(HV_RCX) = kMany;
  machine_->vcpu().gpr(HV_RDX) = kLatePort;
  // One more write comes out by itself each time, the one that finds the ring full.
  constexpr uint64_t kEachTime = kvm::LateRingPage::kCells;
  const uint64_t entries = Entries({0xee,        // out dx, al
                                    0xff, 0xc9,  // dec ecx
                                    0x75, 0xfb,  // jnz to the first
                                    0xf4});
  EXPECT_LE(entries, kMany / kEachTime + 1);
  EXPECT_EQ(machine_->log.all().size(), kMany);
}

}  // namespace
}  // namespace hv
