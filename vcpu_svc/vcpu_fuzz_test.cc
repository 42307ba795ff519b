// Any messages in any order, from 1 to 64 vCPUs, with pages that are written as they should be and
// pages that are not.
#include <random>

#include "abi/channel.h"
#include "gtest/gtest.h"
#include "vcpu_svc/test_machine.h"

namespace hv::vcpu {
namespace {

constexpr uint32_t kRequests[] = {HV_KIND_READ,      HV_KIND_WRITE,     HV_KIND_MSR_READ,
                                  HV_KIND_MSR_WRITE, HV_KIND_CR8_WRITE, HV_KIND_CR8_READ};

class Fuzzer {
 public:
  Fuzzer(uint32_t seed, uint32_t cpus) : random_(seed), cpus_(cpus) {}

  uint32_t Number() { return static_cast<uint32_t>(random_()); }
  uint32_t Below(uint32_t limit) { return Number() % limit; }
  bool OneIn(uint32_t n) { return Below(n) == 0; }

  service::Message Next() {
    switch (Below(8)) {
      case 0: return Garbage();
      case 1: return Interrupt();
      case 2:
        return Message(TestMachine::kIoapic, HV_KIND_INTR,
                       hv_intr{.asserted = Below(2), .vector = Number()});
      case 3:
        return Message(TestMachine::kTimer, HV_KIND_DEADLINE_EXPIRED,
                       hv_deadline{.vcpu = Below(cpus_ + 1), .generation = Below(64)});
      case 4: return Msr();
      default: return Page();
    }
  }

 private:
  template <typename T>
  service::Message Message(uint32_t from, uint16_t kind, const T& payload) {
    return service::Message::Of(from, kind, Number(), payload);
  }
  uint32_t Vcpu() { return TestMachine::Endpoint(OneIn(50) ? Number() & 0xffff : Below(cpus_)); }

  // Random bytes under any kind.
  service::Message Garbage() {
    service::Message message{
        .from = Vcpu(), .kind = static_cast<uint16_t>(Below(HV_KIND_COUNT)), .tag = Number()};
    for (uint8_t& byte : message.payload) byte = static_cast<uint8_t>(random_());
    return message;
  }
  service::Message Interrupt() {
    return Message(TestMachine::kIoapic, HV_KIND_INTERRUPT,
                   hv_interrupt{.destination = OneIn(4) ? Number() : Below(cpus_),
                                .vector = static_cast<uint8_t>(Number()),
                                .delivery_mode = static_cast<uint8_t>(Below(9)),
                                .logical = static_cast<uint8_t>(Below(2)),
                                .level = static_cast<uint8_t>(Below(2)),
                                .assert_level = static_cast<uint8_t>(Below(2))});
  }
  // Registers that matter, with values that are often legal.
  service::Message Msr() {
    constexpr uint32_t kIndexes[] = {0x1b,  0x3b,  0x6e0, 0x830, 0x80b,
                                     0x83f, 0x832, 0x838, 0x2ff, 0x200};
    const uint32_t index = OneIn(4) ? 0x800 + Below(0x40) : kIndexes[Below(std::size(kIndexes))];
    uint64_t value = uint64_t{Number()} << 32 | Number();
    if (index == 0x1b) value = HV_LOCAL_APIC_BASE | uint64_t{Below(4)} << 10;
    if (index == 0x830) value &= uint64_t{OneIn(2) ? UINT32_MAX : cpus_} << 32 | 0xccfff;
    if (OneIn(3)) value &= 0xff;
    return Message(Vcpu(), kRequests[2 + Below(4)], hv_msr{.index = index, .value = value});
  }
  service::Message Page() {
    constexpr uint32_t kNumbers[] = {0x08, 0x0b, 0x0d, 0x0e, 0x0f, 0x28, 0x30,
                                     0x31, 0x32, 0x35, 0x37, 0x38, 0x39, 0x3e};
    const uint32_t number = OneIn(4) ? Below(0x100) : kNumbers[Below(std::size(kNumbers))];
    hv_access access{.address = HV_LOCAL_APIC_BASE + number * 16,
                     .data = Number(),
                     .width = 4,
                     .space = HV_SPACE_MMIO};
    if (number == 0x0f && !OneIn(4)) access.data |= 0x100;
    if (number == 0x30) access.data |= OneIn(3) ? 2u << 18 : 0;
    if (OneIn(20)) access.address += Number();
    if (OneIn(20)) access.width = static_cast<uint8_t>(Number());
    const uint16_t kinds[] = {HV_KIND_READ, HV_KIND_WRITE, HV_KIND_WRITE, HV_KIND_WRITE_POSTED};
    return Message(Vcpu(), kinds[Below(4)], access);
  }

  std::mt19937 random_;
  const uint32_t cpus_;
};

bool IsRequest(uint16_t kind) {
  for (const uint32_t each : kRequests) {
    if (each == kind) return true;
  }
  return false;
}

// One answer under its tag to a request, none to anything else; and not more than a ring can hold.
void ExpectAnsweredOnce(const service::Message& message, const TestMachine& machine) {
  int answers = 0;
  for (const service::Outgoing& sent : machine.sent) {
    const bool answer = sent.kind == HV_KIND_READ_DONE || sent.kind == HV_KIND_WRITE_DONE ||
                        sent.kind == HV_KIND_MSR_DONE;
    if (!answer) continue;
    ++answers;
    ASSERT_EQ(sent.to, message.from);
    ASSERT_EQ(sent.tag, message.tag);
  }
  ASSERT_EQ(answers, IsRequest(message.kind) ? 1 : 0) << "kind " << message.kind;
  ASSERT_LE(machine.sent.size(), HV_RING_MIN_CELLS);
}

void ExpectInvariants(TestMachine& machine, uint32_t cpus) {
  for (uint32_t i = 0; i < cpus; ++i) {
    const LocalApicState& apic = machine.apic(i);
    ASSERT_EQ(apic.id, i);
    ASSERT_TRUE(ApicBase(apic.base).legal());
    ASSERT_EQ((apic.irr.words[0] | apic.isr.words[0]) & 0xffff, 0u);
    ASSERT_LE(apic.tpr, 0xffu);
  }
  ASSERT_LT(machine.state().round_robin, cpus);
}

// `scribble`: the pages are written by somebody who does not keep to abi/vcpu_page.h.
void Fuzz(uint32_t seed, uint32_t cpus, bool scribble, int steps) {
  Fuzzer fuzzer(seed, cpus);
  TestMachine machine(cpus), twin(cpus);
  for (uint32_t i = 0; i < cpus; ++i) {
    machine.vcpu(i).waits_for_sipi = twin.vcpu(i).waits_for_sipi = 0;
  }
  for (int step = 0; step < steps; ++step) {
    const uint32_t vcpu = fuzzer.Below(cpus);
    if (scribble && fuzzer.OneIn(3)) {
      machine.pages[vcpu].taken = twin.pages[vcpu].taken =
          uint64_t{fuzzer.Number()} << 32 | fuzzer.Number();
    } else if (fuzzer.OneIn(2)) {
      machine.Take(vcpu);
      twin.Take(vcpu);
    }
    machine.now_ns += fuzzer.Below(1'000'000);
    twin.now_ns = machine.now_ns;
    const service::Message message = fuzzer.Next();
    machine.Step(message);
    twin.Step(message);
    ExpectAnsweredOnce(message, machine);
    if (machine.wake_at_ns <= machine.now_ns) {
      machine.Tick();
      twin.Tick();
      ASSERT_LE(machine.sent.size(), HV_RING_MIN_CELLS);
    }
    if (testing::Test::HasFatalFailure()) return;
    if (step % 64 == 0) ExpectInvariants(machine, cpus);
  }
  ASSERT_EQ(machine.Bytes(), twin.Bytes());
  TestMachine imported(cpus);
  const auto exported = machine.core().Export(&machine.state());
  ASSERT_TRUE(exported.ok());
  const absl::Status status = imported.core().Import(&imported.state(), *exported);
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_EQ(imported.Bytes(), machine.Bytes());
}

class VcpuFuzzTest : public testing::TestWithParam<uint32_t> {};

INSTANTIATE_TEST_SUITE_P(Cpus, VcpuFuzzTest, testing::Values(1, 2, 3, 8, 17, 64));

TEST_P(VcpuFuzzTest, AnyMessageIsAnsweredOnceAndAlwaysAlike) {
  for (uint32_t seed = 1; seed <= 4; ++seed) Fuzz(seed, GetParam(), false, 5000);
}

TEST_P(VcpuFuzzTest, ScribbledPagesHurtTheirOwnVcpuAlone) {
  for (uint32_t seed = 1; seed <= 2; ++seed) Fuzz(seed, GetParam(), true, 5000);
}

}  // namespace
}  // namespace hv::vcpu
