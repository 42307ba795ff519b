// Random messages and random states for the whole service: it answers each access exactly once,
// sends no more than a step may, keeps its registers in range, and does the same again from the
// same bytes.
#include <cstring>

#include "gtest/gtest.h"
#include "ioapic_svc/redirection_entry.h"
#include "ioapic_svc/test_service.h"
#include "service/test_export.h"
#include "service/test_messages.h"

namespace hv::ioapic {
namespace {

using service::Message;

class Generator : public service::RandomMessages {
 public:
  using RandomMessages::RandomMessages;

  Message Next() {
    switch (Number(10)) {
      case 0: return Noise();
      case 1:
      case 2: return Line();
      case 3: return Of(TestService::kVcpu, HV_KIND_EOI, hv_eoi{.vector = Vector()});
      case 4:
        return Of(TestService::kCpu, HV_KIND_INTA, hv_intr{.asserted = 0, .vector = Vector()});
      case 5:
        return Of(TestService::kSerial, HV_KIND_GSI_ROUTE,
                  hv_gsi_route{.address = 0xfee00000 + Number(0x200000),
                               .data = Word(),
                               .gsi = static_cast<uint32_t>(Number(80)),
                               .enabled = static_cast<uint32_t>(Number(4))});
      default: return Access();
    }
  }

 private:
  // Few vectors, so that they meet.
  uint32_t Vector() { return static_cast<uint32_t>(0x30 + Number(20)); }
  Message Line() {
    const uint32_t role = Number(2) == 0 ? HV_ROLE_TIMER : HV_ROLE_SERIAL;
    return Of(HV_ENDPOINT(role, Number(5)), HV_KIND_LINE,
              hv_line{.gsi = static_cast<uint32_t>(Number(70)),
                      .level = static_cast<uint32_t>(Number(2))});
  }
  Message Access() {
    constexpr uint16_t kKinds[] = {HV_KIND_READ, HV_KIND_WRITE, HV_KIND_WRITE_POSTED};
    constexpr uint64_t kPorts[] = {0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1, 0x22};
    constexpr uint64_t kOffsets[] = {0x00, 0x10, 0x40, 0x12, 0x800};
    constexpr uint8_t kWidths[] = {1, 2, 4, 8};
    hv_access access{};
    access.width = OneIn(20) ? Byte() : OneOf(kWidths);
    access.space = static_cast<uint8_t>(Number(2));
    access.address =
        access.space == HV_SPACE_PORT ? OneOf(kPorts) : HV_IOAPIC_BASE + OneOf(kOffsets);
    access.data = Number(2) == 0 ? Number() : 0x10 + Number(0x30);
    return Of(HV_ENDPOINT(HV_ROLE_KERNEL, Number(64)), OneOf(kKinds), access);
  }
};

void ExpectInRange(const State& s) {
  for (uint64_t bits : s.ioapic.entries) {
    const RedirectionEntry entry(bits);
    EXPECT_FALSE(entry.remote_irr() && !entry.level());
    EXPECT_EQ(bits & ~(RedirectionEntry::kWritable | RedirectionEntry::kRemoteIrr), 0u);
  }
  for (const I8259State& chip : {s.pics.master, s.pics.slave}) {
    EXPECT_LE(chip.priority, 7);
    EXPECT_LE(chip.init_step, 3);
    EXPECT_EQ(chip.irr & chip.elcr, chip.lines & chip.elcr) << "a level requests while it is up";
  }
}

TEST(IoapicFuzzTest, AnyMessagesInAnyOrder) {
  Generator generator(8259);
  TestService service;
  TestService twin;
  for (int i = 0; i < 100'000; ++i) {
    const Message message = generator.Next();
    service.sent.clear();
    twin.sent.clear();
    service.Handle(message);
    twin.Handle(message);
    service::ExpectOneAnswer(message, service.sent);
    ExpectInRange(service.state);
    const bool output = I8259Pair(service.state.pics).output();
    ASSERT_EQ(service.state.intr_asserted, output ? 1u : 0u) << "vcpu_svc knows";
    ASSERT_EQ(std::memcmp(&service.state, &twin.state, sizeof(State)), 0);
    ASSERT_EQ(service.sent.size(), twin.sent.size());
    if (HasFailure()) return;
  }
}

TEST(IoapicFuzzTest, EveryReachableStateSurvivesItsExport) {
  Generator generator(82093);
  TestService service;
  for (int i = 0; i < 20'000; ++i) {
    service.Handle(generator.Next());
    service.sent.clear();
    if (i % 20 != 0) continue;
    service::ExpectSurvivesExport(service.core(), service.state);
    if (HasFatalFailure()) return;
  }
}

TEST(IoapicFuzzTest, ForgedStatesAreRefusedOrServed) {
  Generator generator(1);
  TestService service;
  const std::string good = *service.core().Export(&service.state);
  for (int i = 0; i < 5'000; ++i) {
    std::string bytes = generator.Damaged(good, 8);
    bytes.resize(generator.Number(bytes.size() + 1));
    if (!service.core().Import(&service.state, bytes).ok()) continue;
    for (int j = 0; j < 10; ++j) service.Handle(generator.Next());
    service.sent.clear();
  }
}

}  // namespace
}  // namespace hv::ioapic
