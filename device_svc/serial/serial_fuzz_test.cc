// Whatever is sent to a serial port, it answers what wants an answer once, and stays in range.
#include "device_svc/serial/test_port.h"
#include "service/test_messages.h"

namespace hv::serial {
namespace {

using Service = service::TestService<SerialCore, State>;

constexpr uint16_t kKinds[] = {HV_KIND_READ,         HV_KIND_READ,          HV_KIND_WRITE,
                               HV_KIND_WRITE_POSTED, HV_KIND_CONSOLE_INPUT, HV_KIND_CONSOLE_CREDIT,
                               HV_KIND_POWER_BUTTON, HV_KIND_NONE};

service::Message Next(service::RandomMessages& random) {
  const uint16_t kind = random.OneOf(kKinds);
  if (random.OneIn(8)) return random.Of(TestPort::kCpu, kind, random.Noise().payload);
  // Mostly something with a meaning.
  if (kind > HV_KIND_WRITE_POSTED) {
    const auto length = static_cast<uint32_t>(random.Number(50));  // of input, or credit
    return random.Of(TestPort::kCpu, kind, length);
  }
  return random.Of(TestPort::kCpu, kind,
                   service::AccessTo(HV_SPACE_PORT, TestPort::kPort + random.Number(8),
                                     static_cast<uint8_t>(random.Number(10)), random.Number()));
}

void CheckRanges(const State& state) {
  const UartState& u = state.uart;
  ASSERT_LE(u.receive_count, kReceiveFifo);
  ASSERT_LE(u.transmit_count, kTransmitQueue);
  ASSERT_LE(u.input_count, kInputQueue);
  ASSERT_LT(u.input_head, kInputQueue);
  ASSERT_LE(state.credit, SerialCore::kInitialCredit);
  ASSERT_LT(state.uncredited, SerialCore::kCreditLot);
  ASSERT_LE(state.line, 1u);
  // Characters wait for credit alone.
  ASSERT_TRUE(u.transmit_count == 0 || state.credit == 0);
}

TEST(SerialFuzzTest, AnswersOnceAndStaysInRange) {
  for (uint32_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    service::RandomMessages random(seed);
    Service service(SerialCore::Config{.port = TestPort::kPort, .gsi = TestPort::kGsi});
    uint32_t line = 0;
    for (int step = 0; step < 5000; ++step) {
      service.Pause(random.Number(50'000));
      service.sent.clear();
      service::Message message;
      if (service.wake_at_ns <= service.now_ns) {
        service.Tick();
      } else {
        message = Next(random);
        service.Handle(message);
      }
      service::ExpectOneAnswer(message, service.sent);
      for (const auto& out : service.sent) {
        if (out.kind != HV_KIND_LINE) continue;
        ASSERT_NE(out.As<hv_line>().level, line) << "a level told twice";
        line = out.As<hv_line>().level;
      }
      ASSERT_FALSE(HasFailure());
      ASSERT_EQ(line != 0, Uart(service.state.uart).line());
      ASSERT_NO_FATAL_FAILURE(CheckRanges(service.state));
    }
  }
}

TEST(SerialFuzzTest, ImportTakesOrRefusesAnything) {
  service::RandomMessages random(1);
  TestPort port;
  const std::string valid = *port.core().Export(&port.state);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = random.Damaged(valid, 5);
    bytes.resize(random.Number(bytes.size() + 10));
    State state{};
    if (!port.core().Import(&state, bytes).ok()) continue;
    // The first step moves what can be moved.
    service::Actions moved;
    port.core().Tick(&state, 0, moved);
    ASSERT_NO_FATAL_FAILURE(CheckRanges(state));
  }
}

}  // namespace
}  // namespace hv::serial
