// Whatever is sent to a serial port, it answers what wants an answer once, and stays in range.
#include <random>

#include "device_svc/serial/test_port.h"

namespace hv::serial {
namespace {

constexpr uint16_t kKinds[] = {HV_KIND_READ,         HV_KIND_READ,          HV_KIND_WRITE,
                               HV_KIND_WRITE_POSTED, HV_KIND_CONSOLE_INPUT, HV_KIND_CONSOLE_CREDIT,
                               HV_KIND_POWER_BUTTON, HV_KIND_NONE};

service::Payload RandomPayload(std::mt19937& random, uint16_t kind) {
  service::Payload payload{};
  for (uint8_t& byte : payload) byte = static_cast<uint8_t>(random());
  if (random() % 8 == 0) return payload;
  // Mostly something with a meaning.
  if (kind <= HV_KIND_WRITE_POSTED) {
    const hv_access access{.address = TestPort::kPort + random() % 8,
                           .data = random(),
                           .width = static_cast<uint8_t>(random() % 10),
                           .space = HV_SPACE_PORT};
    std::memcpy(payload.data(), &access, sizeof(access));
  } else {
    const uint32_t length = random() % 50;  // of input, or credit
    std::memcpy(payload.data(), &length, sizeof(length));
  }
  return payload;
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
    std::mt19937 random(seed);
    const SerialCore typed({.port = TestPort::kPort, .gsi = TestPort::kGsi});
    const service::Core& core = typed;
    State state{};
    service::Actions reset;
    core.Reset(&state, 0, reset);
    uint64_t now_ns = 0, wake_at_ns = reset.wake_at_ns();
    uint32_t line = 0;
    for (int step = 0; step < 5000; ++step) {
      now_ns += random() % 50'000;
      service::Actions actions;
      const service::Message message{.from = TestPort::kVcpu,
                                     .kind = kKinds[random() % std::size(kKinds)],
                                     .tag = static_cast<uint32_t>(random())};
      const bool tick = wake_at_ns <= now_ns;
      if (tick) {
        core.Tick(&state, now_ns, actions);
      } else {
        auto sent = message;
        sent.payload = RandomPayload(random, message.kind);
        actions.WakeAt(wake_at_ns);
        core.Handle(&state, sent, now_ns, actions);
      }
      wake_at_ns = actions.wake_at_ns();
      const bool asks = message.kind == HV_KIND_READ || message.kind == HV_KIND_WRITE;
      int answers = 0;
      for (const auto& out : actions.messages()) {
        if (out.kind == HV_KIND_READ_DONE || out.kind == HV_KIND_WRITE_DONE) {
          ASSERT_EQ(out.tag, message.tag);
          ++answers;
        }
        if (out.kind == HV_KIND_LINE) {
          ASSERT_NE(out.As<hv_line>().level, line) << "a level told twice";
          line = out.As<hv_line>().level;
        }
      }
      ASSERT_EQ(answers, !tick && asks ? 1 : 0);
      ASSERT_EQ(line != 0, Uart(state.uart).line());
      ASSERT_NO_FATAL_FAILURE(CheckRanges(state));
    }
  }
}

TEST(SerialFuzzTest, ImportTakesOrRefusesAnything) {
  std::mt19937 random(1);
  const SerialCore typed({.port = TestPort::kPort, .gsi = TestPort::kGsi});
  const service::Core& core = typed;
  State source{};
  service::Actions actions;
  core.Reset(&source, 0, actions);
  const std::string valid = *core.Export(&source);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = valid;
    for (uint32_t n = random() % 6; n != 0; --n) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    bytes.resize(random() % (bytes.size() + 10));
    State state{};
    if (!core.Import(&state, bytes).ok()) continue;
    // The first step moves what can be moved.
    service::Actions moved;
    core.Tick(&state, 0, moved);
    ASSERT_NO_FATAL_FAILURE(CheckRanges(state));
  }
}

}  // namespace
}  // namespace hv::serial
