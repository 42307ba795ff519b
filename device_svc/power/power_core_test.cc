#include "device_svc/power/power_core.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "abi/endpoint.h"
#include "abi/platform.h"
#include "abi/route_table.h"
#include "proto/hv/v1/power_state.pb.h"

namespace hv::power {
namespace {

constexpr uint32_t kVcpu = HV_ENDPOINT(HV_ROLE_KERNEL, 3), kHost = HV_ENDPOINT(HV_ROLE_HOST, 0),
                   kIoapic = HV_ENDPOINT(HV_ROLE_IOAPIC, 0);
constexpr uint32_t kGsi = 9, kTag = 77;
using Lines = std::vector<uint32_t>;

class PowerCoreTest : public ::testing::Test {
 protected:
  PowerCoreTest() {
    service::Actions actions;
    core_->Reset(&state_, 0, actions);
    EXPECT_TRUE(actions.messages().empty());
  }

  template <typename T>
  bool Handle(uint32_t from, uint16_t kind, const T& payload) {
    service::Message message{.from = from, .kind = kind, .tag = kTag};
    std::memcpy(message.payload.data(), &payload, sizeof(payload));
    service::Actions actions;
    const bool known = core_->Handle(&state_, message, 0, actions);
    Take(actions);
    return known;
  }
  void Tick() {
    service::Actions actions;
    core_->Tick(&state_, 0, actions);
    Take(actions);
  }
  uint64_t In(uint64_t port, uint8_t width = 1, hv_space space = HV_SPACE_PORT) {
    return Access(HV_KIND_READ, {.address = port, .width = width, .space = Byte(space)}).data;
  }
  hv_access_done Out(uint64_t port, uint64_t data, uint8_t width = 1,
                     hv_space space = HV_SPACE_PORT) {
    return Access(HV_KIND_WRITE,
                  {.address = port, .data = data, .width = width, .space = Byte(space)});
  }

  PowerCore with_debug_exit_{{.debug_exit = true, .sci_gsi = kGsi}};
  PowerCore without_{{.debug_exit = false, .sci_gsi = kGsi}};
  const service::Core* core_ = &with_debug_exit_;
  State state_{};
  Lines lines_;

 private:
  static uint8_t Byte(hv_space space) { return static_cast<uint8_t>(space); }
  hv_access_done Access(uint16_t kind, const hv_access& access) {
    done_.reset();
    EXPECT_TRUE(Handle(kVcpu, kind, access));
    EXPECT_TRUE(done_.has_value());
    return done_.value_or(hv_access_done{});
  }
  void Take(const service::Actions& actions) {
    for (const auto& sent : actions.messages()) {
      if (sent.kind == HV_KIND_LINE) {
        EXPECT_EQ(sent.to, kIoapic);
        EXPECT_EQ(sent.As<hv_line>().gsi, kGsi);
        lines_.push_back(sent.As<hv_line>().level);
      } else {
        EXPECT_EQ(sent.to, kVcpu);
        EXPECT_EQ(sent.tag, kTag);
        EXPECT_FALSE(done_.has_value()) << "answered twice";
        done_ = sent.As<hv_access_done>();
      }
    }
  }
  std::optional<hv_access_done> done_;
};

TEST_F(PowerCoreTest, PowerOffAsAcpicaDoesIt) {
  const uint64_t control = In(HV_PORT_PM1_CONTROL, 2);
  EXPECT_EQ(control, 0x0001u);
  EXPECT_EQ(Out(HV_PORT_PM1_CONTROL, control | 5 << 10, 2).event, HV_MACHINE_EVENT_NONE);
  EXPECT_EQ(Out(HV_PORT_PM1_CONTROL, control | 5 << 10 | 1 << 13, 2).event,
            HV_MACHINE_EVENT_POWER_OFF);
}

TEST_F(PowerCoreTest, BytesBehindTheOneThatEndsTheMachineChangeNothing) {
  EXPECT_EQ(Out(HV_PORT_PM1_CONTROL + 1, 0xff00 | 5 << 2 | 1 << 5, 2).event,
            HV_MACHINE_EVENT_POWER_OFF);
}

TEST_F(PowerCoreTest, PowerButtonIsASystemControlInterrupt) {
  Out(HV_PORT_PM1_EVENT + 2, 0x0100, 2);
  EXPECT_TRUE(Handle(kHost, HV_KIND_POWER_BUTTON, uint8_t{0}));
  EXPECT_EQ(lines_, (Lines{1}));
  EXPECT_TRUE(Handle(kHost, HV_KIND_POWER_BUTTON, uint8_t{0}));
  EXPECT_EQ(lines_, (Lines{1}));  // it is level-triggered and stands
  EXPECT_EQ(In(HV_PORT_PM1_EVENT, 4), 0x01000100u);
  Out(HV_PORT_PM1_EVENT, 0x0100, 2);
  EXPECT_EQ(lines_, (Lines{1, 0}));
}

TEST_F(PowerCoreTest, AButtonPressedBeforeAnybodyListensIsKept) {
  EXPECT_TRUE(Handle(kHost, HV_KIND_POWER_BUTTON, uint8_t{0}));
  EXPECT_EQ(lines_, Lines{});
  Out(HV_PORT_PM1_EVENT + 2, 0x0100, 2);
  EXPECT_EQ(lines_, (Lines{1}));
}

TEST_F(PowerCoreTest, WaysToReset) {
  EXPECT_EQ(Out(HV_PORT_RESET, HV_RESET_VALUE).event, HV_MACHINE_EVENT_RESET);
  EXPECT_EQ(Out(HV_PORT_I8042_COMMAND, 0xfe).event, HV_MACHINE_EVENT_RESET);
  EXPECT_EQ(Out(HV_PORT_I8042_COMMAND, 0xd1).event, HV_MACHINE_EVENT_NONE);
  EXPECT_EQ(Out(HV_PORT_I8042_DATA, 0xfe).event, HV_MACHINE_EVENT_RESET);
}

TEST_F(PowerCoreTest, KeyboardControllerIsProbed) {
  EXPECT_EQ(In(HV_PORT_I8042_COMMAND) & 0x03, 0u);
  Out(HV_PORT_I8042_COMMAND, 0xaa);
  EXPECT_EQ(In(HV_PORT_I8042_COMMAND) & 0x03, 1u);
  EXPECT_EQ(In(HV_PORT_I8042_DATA), 0x55u);
}

TEST_F(PowerCoreTest, ResetControlReadsBack) {
  Out(HV_PORT_RESET, 0x02);
  EXPECT_EQ(In(HV_PORT_RESET), 0x02u);
}

TEST_F(PowerCoreTest, DebugExitCarriesTheValue) {
  const hv_access_done byte = Out(HV_PORT_DEBUG_EXIT, 0x10);
  EXPECT_EQ(byte.event, HV_MACHINE_EVENT_DEBUG_EXIT);
  EXPECT_EQ(byte.event_value, 0x10u);
  EXPECT_EQ(Out(HV_PORT_DEBUG_EXIT, 0x12345678, 4).event_value, 0x12345678u);
  EXPECT_EQ(Out(HV_PORT_DEBUG_EXIT, 0).event, HV_MACHINE_EVENT_DEBUG_EXIT);
}

TEST_F(PowerCoreTest, WithoutDebugExitItsPortIsAHole) {
  core_ = &without_;
  EXPECT_EQ(Out(HV_PORT_DEBUG_EXIT, 0x10).event, HV_MACHINE_EVENT_NONE);
  EXPECT_EQ(Out(HV_PORT_DEBUG_EXIT, 0x10, 4).event, HV_MACHINE_EVENT_NONE);
  EXPECT_EQ(In(HV_PORT_DEBUG_EXIT), 0xffu);
  EXPECT_EQ(In(HV_PORT_DEBUG_EXIT, 4), 0xffffffffu);
}

TEST_F(PowerCoreTest, PortsOfNobodyReadAsOnesAndTakeAnything) {
  EXPECT_EQ(In(HV_PORT_PM1_CONTROL, 4), 0xffff0001u);
  EXPECT_EQ(In(0x1234), 0xffu);
  EXPECT_EQ(Out(0x1234, 0xff).event, HV_MACHINE_EVENT_NONE);
}

TEST_F(PowerCoreTest, MemoryIsNotItsBusiness) {
  EXPECT_EQ(In(HV_PORT_PM1_CONTROL, 2, HV_SPACE_MMIO), 0xffffu);
  EXPECT_EQ(Out(HV_PORT_RESET, 6, 1, HV_SPACE_MMIO).event, HV_MACHINE_EVENT_NONE);
  EXPECT_EQ(Out(HV_PORT_DEBUG_EXIT, 6, 1, HV_SPACE_MMIO).event, HV_MACHINE_EVENT_NONE);
  EXPECT_EQ(Out(0x10000 + HV_PORT_RESET, 6).event, HV_MACHINE_EVENT_NONE);
}

TEST_F(PowerCoreTest, PostedWritesAndOtherKindsAreRefused) {
  const hv_access access{.address = HV_PORT_RESET, .data = 6, .width = 1, .space = HV_SPACE_PORT};
  EXPECT_FALSE(Handle(kVcpu, HV_KIND_WRITE_POSTED, access));
  EXPECT_FALSE(Handle(kHost, HV_KIND_CONSOLE_INPUT, access));
  EXPECT_EQ(In(HV_PORT_RESET), 0u);
}

TEST_F(PowerCoreTest, ExportedStateIsImported) {
  Handle(kHost, HV_KIND_POWER_BUTTON, uint8_t{0});
  Out(HV_PORT_PM1_EVENT + 2, 0x0100, 2);
  Out(HV_PORT_PM1_CONTROL, 5 << 10, 2);
  Out(HV_PORT_RESET, 0x0a);
  Out(HV_PORT_I8042_COMMAND, 0xaa);
  Out(HV_PORT_I8042_COMMAND, 0x60);
  const auto exported = core_->Export(&state_);
  State imported{};
  ASSERT_TRUE(core_->Import(&imported, *exported).ok());
  EXPECT_EQ(std::memcmp(&imported, &state_, sizeof(State)), 0);
}

TEST_F(PowerCoreTest, AnImportedStateIsMadeTrueAtTheNextTick) {
  hv::v1::PowerServiceState state;
  state.set_pm1_status(0x100);
  state.set_pm1_enable(0x100);
  ASSERT_TRUE(core_->Import(&state_, state.SerializeAsString()).ok());
  Tick();
  EXPECT_EQ(lines_, (Lines{1}));
  EXPECT_EQ(In(HV_PORT_PM1_CONTROL, 2), 0x0001u);
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
  ASSERT_TRUE(core_->Import(&state_, state.SerializeAsString()).ok());
  EXPECT_EQ(In(HV_PORT_PM1_EVENT, 4), 0x0721c731u);
  EXPECT_EQ(In(HV_PORT_PM1_CONTROL, 2), 0x1c03u);
  EXPECT_EQ(In(HV_PORT_RESET), 0x0eu);
  EXPECT_EQ(In(HV_PORT_I8042_COMMAND), 0x5du);
  EXPECT_EQ(Out(HV_PORT_I8042_DATA, 0).event, HV_MACHINE_EVENT_NONE);
}

TEST_F(PowerCoreTest, OtherBytesAreRefused) {
  EXPECT_FALSE(core_->Import(&state_, "\xff\xff").ok());
}

}  // namespace
}  // namespace hv::power
