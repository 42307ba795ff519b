// Whatever is sent to power_svc, it answers what wants an answer once, tells the SCI's level as it
// is, and the machine ends only by what its ports are for.
#include <gtest/gtest.h>

#include <iterator>
#include <random>

#include "abi/endpoint.h"
#include "abi/platform.h"
#include "abi/route_table.h"
#include "device_svc/power/power_core.h"
#include "device_svc/power/reset_control.h"

namespace hv::power {
namespace {

constexpr uint16_t kKinds[] = {HV_KIND_READ,         HV_KIND_WRITE,        HV_KIND_WRITE,
                               HV_KIND_WRITE_POSTED, HV_KIND_POWER_BUTTON, HV_KIND_CONSOLE_INPUT};
constexpr uint64_t kPorts[] = {
    HV_PORT_I8042_DATA,      HV_PORT_I8042_COMMAND, HV_PORT_DEBUG_EXIT,    HV_PORT_PM1_EVENT,
    HV_PORT_PM1_EVENT + 1,   HV_PORT_PM1_EVENT + 2, HV_PORT_PM1_EVENT + 3, HV_PORT_PM1_CONTROL,
    HV_PORT_PM1_CONTROL + 1, HV_PORT_RESET};

service::Message RandomMessage(std::mt19937& random) {
  service::Message message{.from = HV_ENDPOINT(HV_ROLE_KERNEL, random() % 64),
                           .kind = kKinds[random() % std::size(kKinds)],
                           .tag = static_cast<uint32_t>(random())};
  for (uint8_t& byte : message.payload) byte = static_cast<uint8_t>(random());
  if (random() % 8 == 0) return message;
  const hv_access access{.address = kPorts[random() % std::size(kPorts)],
                         .data = random(),
                         .width = static_cast<uint8_t>(random() % 10),
                         .space = HV_SPACE_PORT};
  std::memcpy(message.payload.data(), &access, sizeof(access));
  return message;
}

void CheckRanges(const State& state) {
  ASSERT_EQ(state.pm1.status & ~0xc731, 0);
  ASSERT_EQ(state.pm1.enable & ~0x0721, 0);
  ASSERT_EQ(state.pm1.control & ~0x1c02, 1);
  ASSERT_EQ(state.reset_control & ~ResetControl::kBits, 0);
}

TEST(PowerFuzzTest, AnswersOnceAndStaysInRange) {
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const PowerCore typed({.debug_exit = false, .sci_gsi = HV_GSI_SCI});
    const service::Core& core = typed;
    State state{};
    service::Actions reset;
    core.Reset(&state, 0, reset);
    uint32_t line = 0;
    for (int step = 0; step < 10'000; ++step) {
      const service::Message message = RandomMessage(random);
      service::Actions actions;
      core.Handle(&state, message, 0, actions);
      int answers = 0;
      for (const auto& sent : actions.messages()) {
        if (sent.kind == HV_KIND_LINE) {
          ASSERT_NE(sent.As<hv_line>().level, line) << "a level told twice";
          line = sent.As<hv_line>().level;
          continue;
        }
        ++answers;
        ASSERT_EQ(sent.to, message.from);
        ASSERT_EQ(sent.tag, message.tag);
        const uint32_t event = sent.As<hv_access_done>().event;
        ASSERT_TRUE(event == HV_MACHINE_EVENT_NONE || message.kind == HV_KIND_WRITE);
        ASSERT_NE(event, HV_MACHINE_EVENT_DEBUG_EXIT);
      }
      const bool asks = message.kind == HV_KIND_READ || message.kind == HV_KIND_WRITE;
      ASSERT_EQ(answers, asks ? 1 : 0);
      ASSERT_EQ(line != 0, Pm1(state.pm1).sci());
      ASSERT_NO_FATAL_FAILURE(CheckRanges(state));
    }
  }
}

TEST(PowerFuzzTest, ImportTakesOrRefusesAnything) {
  std::mt19937 random(1);
  const PowerCore typed({.debug_exit = true, .sci_gsi = HV_GSI_SCI});
  const service::Core& core = typed;
  State source{};
  service::Actions actions;
  core.Reset(&source, 0, actions);
  const std::string valid = *core.Export(&source);
  for (int i = 0; i < 50'000; ++i) {
    std::string bytes = valid;
    for (uint32_t n = random() % 6; n != 0; --n) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    bytes.resize(random() % (bytes.size() + 10));
    State state{};
    if (core.Import(&state, bytes).ok()) {
      ASSERT_NO_FATAL_FAILURE(CheckRanges(state));
    }
  }
}

}  // namespace
}  // namespace hv::power
