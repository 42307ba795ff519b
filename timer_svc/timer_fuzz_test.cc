// Random messages, times and states for the whole service: it answers each access exactly once,
// sends no more than a step may, never asks for a tick that leads nowhere, and does the same again
// from the same bytes.
#include <cstring>

#include "gtest/gtest.h"
#include "service/test_export.h"
#include "service/test_messages.h"
#include "timer_svc/test_service.h"

namespace hv::timer {
namespace {

using service::Message;

constexpr uint32_t kCpus = HV_MAX_VCPUS;

class Generator : public service::RandomMessages {
 public:
  using RandomMessages::RandomMessages;

  // Mostly short, sometimes days.
  uint64_t Interval() { return Number() >> (20 + Number(44)) % 64 >> 8; }
  Message Next(uint64_t now_ns) {
    switch (Number(10)) {
      case 0: return Noise();
      case 1:
      case 2:
        return Of(TestService::kVcpu, HV_KIND_DEADLINE_SET,
                  hv_deadline{.time_ns = Number(4) == 0 ? Number(2) : now_ns + Number(1 << 20),
                              .vcpu = static_cast<uint32_t>(Number(kCpus + 1)),
                              .generation = Word()});
      case 3:
      case 4: return Access(HV_SPACE_MMIO, HpetAddress());
      default: return Access(HV_SPACE_PORT, Port());
    }
  }

 private:
  uint64_t HpetAddress() {
    constexpr uint64_t kOffsets[] = {0x000, 0x010, 0x020, 0x0f0, 0x100, 0x108,
                                     0x120, 0x128, 0x140, 0x148, 0x160};
    return HV_HPET_BASE + OneOf(kOffsets) + (Number(4) == 0 ? 4 : 0);
  }
  uint64_t Port() {
    constexpr uint64_t kPorts[] = {0x40, 0x41, 0x42, 0x43, 0x61, 0x70, 0x71, 0x608, 0x60a};
    return OneOf(kPorts);
  }
  Message Access(hv_space space, uint64_t address) {
    constexpr uint16_t kKinds[] = {HV_KIND_READ, HV_KIND_WRITE, HV_KIND_WRITE_POSTED};
    constexpr uint8_t kWidths[] = {1, 1, 2, 4, 8, 8};
    hv_access access{};
    access.space = static_cast<uint8_t>(space);
    access.address = address;
    access.width = OneIn(20) ? Byte() : OneOf(kWidths);
    access.data = Number() >> Number(64);
    return Of(HV_ENDPOINT(HV_ROLE_KERNEL, Number(64)), OneOf(kKinds), access);
  }
};

// At one instant a few ticks at the most may be due (deadlines that did not fit), then the next is
// later.
void ExpectProgress(TestService& service) {
  for (int i = 0; i < 3 && service.wake_at_ns <= service.now_ns; ++i) {
    service.sent.clear();
    service.Tick();
  }
  ASSERT_GT(service.wake_at_ns, service.now_ns);
}

void ExpectNoFlood(TestService& service) {
  const uint64_t before = service.ticks;
  service.RunFor(10'000'000);
  // Two fast periodic sources, the RTC, four HPET-rate limits and the deadlines there are.
  EXPECT_LE(service.ticks - before, 6 * 100 + 2 * kCpus + 20);
  service.sent.clear();
}

TEST(TimerFuzzTest, AnyMessagesAtAnyTime) {
  Generator generator(8254);
  TestService service(kCpus);
  TestService twin(kCpus);
  for (int i = 0; i < 60'000; ++i) {
    const uint64_t passed =
        generator.Number(3) == 0 ? generator.Interval() : generator.Number(5000);
    service.now_ns += passed;
    twin.now_ns += passed;
    const Message message = generator.Next(service.now_ns);
    service.sent.clear();
    twin.sent.clear();
    service.Handle(message);
    twin.Handle(message);
    service::ExpectOneAnswer(message, service.sent);
    ASSERT_EQ(std::memcmp(&service.state, &twin.state, sizeof(State)), 0);
    ASSERT_EQ(service.wake_at_ns, twin.wake_at_ns);
    ExpectProgress(service);
    ExpectProgress(twin);
    if (i % 200 == 0) {
      ExpectNoFlood(service);
      ExpectNoFlood(twin);
    }
    if (HasFailure()) return;
  }
}

TEST(TimerFuzzTest, EveryReachableStateSurvivesItsExport) {
  Generator generator(146818);
  TestService service(kCpus);
  for (int i = 0; i < 20'000; ++i) {
    service.now_ns += generator.Interval();
    service.Handle(generator.Next(service.now_ns));
    service.sent.clear();
    if (i % 20 != 0) continue;
    service::ExpectSurvivesExport(service.core(), service.state);
    if (HasFatalFailure()) return;
  }
}

TEST(TimerFuzzTest, ForgedStatesAreRefusedOrServed) {
  Generator generator(1);
  TestService service(kCpus);
  service.SetPit(0x34, 1193);
  service.WriteHpet(0x010, 1);
  const std::string good = *service.core().Export(&service.state);
  int served = 0;
  for (int i = 0; i < 20'000; ++i) {
    TestService successor(kCpus);
    if (!successor.core().Import(&successor.state, generator.Damaged(good, 6)).ok()) continue;
    ++served;
    successor.now_ns = generator.Interval();
    successor.Tick();
    ExpectProgress(successor);
    successor.Handle(generator.Next(successor.now_ns));
    ExpectProgress(successor);
    if (HasFailure()) return;
  }
  EXPECT_GT(served, 100);
}

}  // namespace
}  // namespace hv::timer
