// Random messages and random states for the whole service: it answers each access exactly once,
// sends no more than a step may, keeps its registers in range, and does the same again from the
// same bytes.
#include <algorithm>
#include <cstring>
#include <random>

#include "gtest/gtest.h"
#include "ioapic_svc/redirection_entry.h"
#include "ioapic_svc/test_service.h"

namespace hv::ioapic {
namespace {

using service::Message;
using service::Outgoing;

class Generator {
 public:
  explicit Generator(uint32_t seed) : random_(seed) {}

  uint64_t Number(uint64_t below) { return random_() % below; }
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
                               .data = static_cast<uint32_t>(random_()),
                               .gsi = static_cast<uint32_t>(Number(80)),
                               .enabled = static_cast<uint32_t>(Number(4))});
      default: return Access();
    }
  }

 private:
  template <typename T>
  Message Of(uint32_t from, uint16_t kind, const T& payload) {
    return {.from = from,
            .kind = kind,
            .tag = static_cast<uint32_t>(random_()),
            .payload = Outgoing::Of(0, kind, 0, payload).payload};
  }
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
    access.width = Number(20) == 0 ? static_cast<uint8_t>(Number(256)) : kWidths[Number(4)];
    access.space = static_cast<uint8_t>(Number(2));
    access.address = access.space == HV_SPACE_PORT ? kPorts[Number(std::size(kPorts))]
                                                   : HV_IOAPIC_BASE + kOffsets[Number(5)];
    access.data = Number(2) == 0 ? random_() : 0x10 + Number(0x30);
    return Of(HV_ENDPOINT(HV_ROLE_KERNEL, Number(64)), kKinds[Number(3)], access);
  }
  Message Noise() {
    Message message;
    message.from = static_cast<uint32_t>(random_());
    message.kind = static_cast<uint16_t>(Number(HV_KIND_COUNT));
    message.tag = static_cast<uint32_t>(random_());
    for (uint8_t& byte : message.payload) byte = static_cast<uint8_t>(random_());
    return message;
  }

  std::mt19937_64 random_;
};

void ExpectOneAnswer(const Message& message, const std::vector<Outgoing>& sent) {
  const bool awaited = message.kind == HV_KIND_READ || message.kind == HV_KIND_WRITE;
  const auto is_answer = [](const Outgoing& out) {
    return out.kind == HV_KIND_READ_DONE || out.kind == HV_KIND_WRITE_DONE;
  };
  ASSERT_EQ(std::count_if(sent.begin(), sent.end(), is_answer), awaited ? 1 : 0);
  if (!awaited) return;
  const Outgoing& answer = *std::find_if(sent.begin(), sent.end(), is_answer);
  EXPECT_EQ(answer.to, message.from);
  EXPECT_EQ(answer.tag, message.tag);
  EXPECT_EQ(answer.kind, message.kind == HV_KIND_READ ? HV_KIND_READ_DONE : HV_KIND_WRITE_DONE);
}

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
    ExpectOneAnswer(message, service.sent);
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
    const auto bytes = service.core().Export(&service.state);
    ASSERT_TRUE(bytes.ok());
    State back{};
    const absl::Status status = service.core().Import(&back, *bytes);
    ASSERT_TRUE(status.ok()) << status.message();
    ASSERT_EQ(std::memcmp(&back, &service.state, sizeof(back)), 0);
  }
}

TEST(IoapicFuzzTest, ForgedStatesAreRefusedOrServed) {
  Generator generator(1);
  TestService service;
  const std::string good = *service.core().Export(&service.state);
  for (int i = 0; i < 5'000; ++i) {
    std::string bytes = good;
    for (uint64_t flips = 1 + generator.Number(8); flips > 0; --flips) {
      bytes[generator.Number(bytes.size())] = static_cast<char>(generator.Number(256));
    }
    bytes.resize(generator.Number(bytes.size() + 1));
    if (!service.core().Import(&service.state, bytes).ok()) continue;
    for (int j = 0; j < 10; ++j) service.Handle(generator.Next());
    service.sent.clear();
  }
}

}  // namespace
}  // namespace hv::ioapic
