#include "device_svc/power/power_core.h"

#include <gtest/gtest.h>

#include <vector>

#include "abi/endpoint.h"
#include "abi/platform.h"
#include "proto/hv/v1/power_state.pb.h"
#include "service/test_export.h"
#include "service/test_service.h"

namespace hv::power {
namespace {

constexpr uint32_t kHost = HV_ENDPOINT(HV_ROLE_HOST, 0), kIoapic = HV_ENDPOINT(HV_ROLE_IOAPIC, 0);
constexpr uint32_t kGsi = 9;
using Lines = std::vector<uint32_t>;

class Service : public service::TestService<PowerCore, State> {
 public:
  explicit Service(bool debug_exit = true)
      : service::TestService<PowerCore, State>(
            PowerCore::Config{.debug_exit = debug_exit, .sci_gsi = kGsi}) {
    EXPECT_TRUE(sent.empty());
  }

  uint64_t In(uint64_t port, uint8_t width = 1, hv_space space = HV_SPACE_PORT) {
    return Read(space, port, width);
  }
  hv_access_done Out(uint64_t port, uint64_t data, uint8_t width = 1,
                     hv_space space = HV_SPACE_PORT) {
    return Write(space, port, width, data);
  }
  bool PressButton() { return Send(kHost, HV_KIND_POWER_BUTTON, uint8_t{0}); }
  // What the interrupt input has been told, ever.
  Lines Levels() const {
    Lines levels;
    for (const service::Outgoing& out : sent) {
      EXPECT_EQ(out.kind, HV_KIND_LINE);
      EXPECT_EQ(out.to, kIoapic);
      EXPECT_EQ(out.As<hv_line>().gsi, kGsi);
      levels.push_back(out.As<hv_line>().level);
    }
    return levels;
  }
};

class PowerCoreTest : public ::testing::Test {
 protected:
  Service power_;
};

TEST_F(PowerCoreTest, PowerOffAsAcpicaDoesIt) {
  const uint64_t control = power_.In(HV_PORT_PM1_CONTROL, 2);
  EXPECT_EQ(control, 0x0001u);
  EXPECT_EQ(power_.Out(HV_PORT_PM1_CONTROL, control | 5 << 10, 2).event, HV_MACHINE_EVENT_NONE);
  EXPECT_EQ(power_.Out(HV_PORT_PM1_CONTROL, control | 5 << 10 | 1 << 13, 2).event,
            HV_MACHINE_EVENT_POWER_OFF);
}

TEST_F(PowerCoreTest, BytesBehindTheOneThatEndsTheMachineChangeNothing) {
  EXPECT_EQ(power_.Out(HV_PORT_PM1_CONTROL + 1, 0xff00 | 5 << 2 | 1 << 5, 2).event,
            HV_MACHINE_EVENT_POWER_OFF);
}

TEST_F(PowerCoreTest, PowerButtonIsASystemControlInterrupt) {
  power_.Out(HV_PORT_PM1_EVENT + 2, 0x0100, 2);
  EXPECT_TRUE(power_.PressButton());
  EXPECT_EQ(power_.Levels(), (Lines{1}));
  EXPECT_TRUE(power_.PressButton());
  EXPECT_EQ(power_.Levels(), (Lines{1}));  // it is level-triggered and stands
  EXPECT_EQ(power_.In(HV_PORT_PM1_EVENT, 4), 0x01000100u);
  power_.Out(HV_PORT_PM1_EVENT, 0x0100, 2);
  EXPECT_EQ(power_.Levels(), (Lines{1, 0}));
}

TEST_F(PowerCoreTest, AButtonPressedBeforeAnybodyListensIsKept) {
  EXPECT_TRUE(power_.PressButton());
  EXPECT_EQ(power_.Levels(), Lines{});
  power_.Out(HV_PORT_PM1_EVENT + 2, 0x0100, 2);
  EXPECT_EQ(power_.Levels(), (Lines{1}));
}

TEST_F(PowerCoreTest, WaysToReset) {
  EXPECT_EQ(power_.Out(HV_PORT_RESET, HV_RESET_VALUE).event, HV_MACHINE_EVENT_RESET);
  EXPECT_EQ(power_.Out(HV_PORT_I8042_COMMAND, 0xfe).event, HV_MACHINE_EVENT_RESET);
  EXPECT_EQ(power_.Out(HV_PORT_I8042_COMMAND, 0xd1).event, HV_MACHINE_EVENT_NONE);
  EXPECT_EQ(power_.Out(HV_PORT_I8042_DATA, 0xfe).event, HV_MACHINE_EVENT_RESET);
}

TEST_F(PowerCoreTest, KeyboardControllerIsProbed) {
  EXPECT_EQ(power_.In(HV_PORT_I8042_COMMAND) & 0x03, 0u);
  power_.Out(HV_PORT_I8042_COMMAND, 0xaa);
  EXPECT_EQ(power_.In(HV_PORT_I8042_COMMAND) & 0x03, 1u);
  EXPECT_EQ(power_.In(HV_PORT_I8042_DATA), 0x55u);
}

TEST_F(PowerCoreTest, ResetControlReadsBack) {
  power_.Out(HV_PORT_RESET, 0x02);
  EXPECT_EQ(power_.In(HV_PORT_RESET), 0x02u);
}

TEST_F(PowerCoreTest, DebugExitCarriesTheValue) {
  const hv_access_done byte = power_.Out(HV_PORT_DEBUG_EXIT, 0x10);
  EXPECT_EQ(byte.event, HV_MACHINE_EVENT_DEBUG_EXIT);
  EXPECT_EQ(byte.event_value, 0x10u);
  EXPECT_EQ(power_.Out(HV_PORT_DEBUG_EXIT, 0x12345678, 4).event_value, 0x12345678u);
  EXPECT_EQ(power_.Out(HV_PORT_DEBUG_EXIT, 0).event, HV_MACHINE_EVENT_DEBUG_EXIT);
}

TEST_F(PowerCoreTest, WithoutDebugExitItsPortIsAHole) {
  Service without(false);
  EXPECT_EQ(without.Out(HV_PORT_DEBUG_EXIT, 0x10).event, HV_MACHINE_EVENT_NONE);
  EXPECT_EQ(without.Out(HV_PORT_DEBUG_EXIT, 0x10, 4).event, HV_MACHINE_EVENT_NONE);
  EXPECT_EQ(without.In(HV_PORT_DEBUG_EXIT), 0xffu);
  EXPECT_EQ(without.In(HV_PORT_DEBUG_EXIT, 4), 0xffffffffu);
}

TEST_F(PowerCoreTest, PortsOfNobodyReadAsOnesAndTakeAnything) {
  EXPECT_EQ(power_.In(HV_PORT_PM1_CONTROL, 4), 0xffff0001u);
  EXPECT_EQ(power_.In(0x1234), 0xffu);
  EXPECT_EQ(power_.Out(0x1234, 0xff).event, HV_MACHINE_EVENT_NONE);
}

TEST_F(PowerCoreTest, MemoryIsNotItsBusiness) {
  EXPECT_EQ(power_.In(HV_PORT_PM1_CONTROL, 2, HV_SPACE_MMIO), 0xffffu);
  EXPECT_EQ(power_.Out(HV_PORT_RESET, 6, 1, HV_SPACE_MMIO).event, HV_MACHINE_EVENT_NONE);
  EXPECT_EQ(power_.Out(HV_PORT_DEBUG_EXIT, 6, 1, HV_SPACE_MMIO).event, HV_MACHINE_EVENT_NONE);
  EXPECT_EQ(power_.Out(0x10000 + HV_PORT_RESET, 6).event, HV_MACHINE_EVENT_NONE);
}

TEST_F(PowerCoreTest, PostedWritesAndOtherKindsAreRefused) {
  const hv_access access{.address = HV_PORT_RESET, .data = 6, .width = 1, .space = HV_SPACE_PORT};
  EXPECT_FALSE(power_.Send(Service::kCpu, HV_KIND_WRITE_POSTED, access));
  EXPECT_FALSE(power_.Send(kHost, HV_KIND_CONSOLE_INPUT, access));
  EXPECT_EQ(power_.In(HV_PORT_RESET), 0u);
}

TEST_F(PowerCoreTest, ExportedStateIsImported) {
  power_.PressButton();
  power_.Out(HV_PORT_PM1_EVENT + 2, 0x0100, 2);
  power_.Out(HV_PORT_PM1_CONTROL, 5 << 10, 2);
  power_.Out(HV_PORT_RESET, 0x0a);
  power_.Out(HV_PORT_I8042_COMMAND, 0xaa);
  power_.Out(HV_PORT_I8042_COMMAND, 0x60);
  service::ExpectSurvivesExport(power_.core(), power_.state);
}

TEST_F(PowerCoreTest, AnImportedStateIsMadeTrueAtTheNextTick) {
  hv::v1::PowerServiceState state;
  state.set_pm1_status(0x100);
  state.set_pm1_enable(0x100);
  ASSERT_TRUE(power_.core().Import(&power_.state, state.SerializeAsString()).ok());
  power_.Tick();
  EXPECT_EQ(power_.Levels(), (Lines{1}));
  EXPECT_EQ(power_.In(HV_PORT_PM1_CONTROL, 2), 0x0001u);
}

TEST_F(PowerCoreTest, BitsThatRegistersDoNotHaveAreDropped) {
  hv::v1::PowerServiceState state;
  state.set_pm1_status(~0u);
  state.set_pm1_enable(~0u);
  state.set_pm1_control(~0u);
  state.set_reset_control(~0u);
  auto& i8042 = *state.mutable_i8042();
  i8042.set_configuration(~0u);
  i8042.set_status(~0u);
  i8042.set_awaiting_data(~0u);
  ASSERT_TRUE(power_.core().Import(&power_.state, state.SerializeAsString()).ok());
  EXPECT_EQ(power_.In(HV_PORT_PM1_EVENT, 4), 0x0721c731u);
  EXPECT_EQ(power_.In(HV_PORT_PM1_CONTROL, 2), 0x1c03u);
  EXPECT_EQ(power_.In(HV_PORT_RESET), 0x0eu);
  EXPECT_EQ(power_.In(HV_PORT_I8042_COMMAND), 0x5du);
  EXPECT_EQ(power_.Out(HV_PORT_I8042_DATA, 0).event, HV_MACHINE_EVENT_NONE);
}

TEST_F(PowerCoreTest, OtherBytesAreRefused) {
  EXPECT_FALSE(power_.core().Import(&power_.state, "\xff\xff").ok());
}

}  // namespace
}  // namespace hv::power
