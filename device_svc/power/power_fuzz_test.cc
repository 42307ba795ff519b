// Whatever is sent to power_svc, it answers what wants an answer once, tells the SCI's level as it
// is, and the machine ends only by what its ports are for.
#include <gtest/gtest.h>

#include "abi/endpoint.h"
#include "abi/platform.h"
#include "device_svc/power/power_core.h"
#include "device_svc/power/reset_control.h"
#include "service/test_messages.h"
#include "service/test_service.h"

namespace hv::power {
namespace {

using Service = service::TestService<PowerCore, State>;

constexpr uint16_t kKinds[] = {HV_KIND_READ,         HV_KIND_WRITE,        HV_KIND_WRITE,
                               HV_KIND_WRITE_POSTED, HV_KIND_POWER_BUTTON, HV_KIND_CONSOLE_INPUT};
constexpr uint64_t kPorts[] = {
    HV_PORT_I8042_DATA,      HV_PORT_I8042_COMMAND, HV_PORT_DEBUG_EXIT,    HV_PORT_PM1_EVENT,
    HV_PORT_PM1_EVENT + 1,   HV_PORT_PM1_EVENT + 2, HV_PORT_PM1_EVENT + 3, HV_PORT_PM1_CONTROL,
    HV_PORT_PM1_CONTROL + 1, HV_PORT_RESET};

service::Message Next(service::RandomMessages& random) {
  const uint32_t from = HV_ENDPOINT(HV_ROLE_KERNEL, random.Number(64));
  const uint16_t kind = random.OneOf(kKinds);
  if (random.OneIn(8)) return random.Of(from, kind, random.Noise().payload);
  return random.Of(from, kind,
                   service::AccessTo(HV_SPACE_PORT, random.OneOf(kPorts),
                                     static_cast<uint8_t>(random.Number(10)), random.Word()));
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
    service::RandomMessages random(seed);
    Service power(PowerCore::Config{.debug_exit = false, .sci_gsi = HV_GSI_SCI});
    uint32_t line = 0;
    for (int step = 0; step < 10'000; ++step) {
      const service::Message message = Next(random);
      power.sent.clear();
      power.Handle(message);
      service::ExpectOneAnswer(message, power.sent);
      for (const auto& sent : power.sent) {
        if (sent.kind == HV_KIND_LINE) {
          ASSERT_NE(sent.As<hv_line>().level, line) << "a level told twice";
          line = sent.As<hv_line>().level;
          continue;
        }
        const uint32_t event = sent.As<hv_access_done>().event;
        ASSERT_TRUE(event == HV_MACHINE_EVENT_NONE || message.kind == HV_KIND_WRITE);
        ASSERT_NE(event, HV_MACHINE_EVENT_DEBUG_EXIT);
      }
      ASSERT_FALSE(HasFailure());
      ASSERT_EQ(line != 0, Pm1(power.state.pm1).sci());
      ASSERT_NO_FATAL_FAILURE(CheckRanges(power.state));
    }
  }
}

TEST(PowerFuzzTest, ImportTakesOrRefusesAnything) {
  service::RandomMessages random(1);
  Service power(PowerCore::Config{.debug_exit = true, .sci_gsi = HV_GSI_SCI});
  const std::string valid = *power.core().Export(&power.state);
  for (int i = 0; i < 50'000; ++i) {
    std::string bytes = random.Damaged(valid, 5);
    bytes.resize(random.Number(bytes.size() + 10));
    State state{};
    if (power.core().Import(&state, bytes).ok()) {
      ASSERT_NO_FATAL_FAILURE(CheckRanges(state));
    }
  }
}

}  // namespace
}  // namespace hv::power
