#include "device_svc/power/power_core.h"

#include "abi/endpoint.h"
#include "abi/platform.h"
#include "abi/route_table.h"
#include "proto/hv/v1/power_state.pb.h"

namespace hv::power {
namespace {

using service::Actions;
using service::Message;

constexpr uint32_t kIoapic = HV_ENDPOINT(HV_ROLE_IOAPIC, 0);
// PM1 (ACPI 6.4, tables 4.13 to 4.15).
constexpr uint16_t kPowerButton = 1u << 8;
constexpr uint16_t kStatusBits = 0xc731, kEnableBits = 0x0721;
constexpr uint16_t kSciEnable = 1u << 0, kSleepEnable = 1u << 13;
constexpr int kSleepTypeShift = 10;
constexpr uint8_t kResetCpu = 1u << 2;       // port CF9H: a rise of this bit resets
constexpr uint8_t kPulseReset = 0xfe;        // 8042 command
constexpr uint16_t kPort92 = 0x92;

uint8_t ByteOf(uint16_t word, uint16_t into) { return static_cast<uint8_t>(word >> (8 * into)); }
uint16_t WithByte(uint16_t word, uint16_t into, uint8_t value) {
  return static_cast<uint16_t>((word & ~(0xff << (8 * into))) | value << (8 * into));
}

}  // namespace

void PowerCore::Reset(State& state, uint64_t, Actions&) const {
  state.pm1_control = kSciEnable;  // there is no SMM to hand over from
}

uint8_t PowerCore::ReadByte(const State& s, uint16_t port) const {
  if (port >= HV_PORT_PM1_EVENT && port < HV_PORT_PM1_EVENT + 2) {
    return ByteOf(s.pm1_status, port - HV_PORT_PM1_EVENT);
  }
  if (port >= HV_PORT_PM1_EVENT + 2 && port < HV_PORT_PM1_EVENT + 4) {
    return ByteOf(s.pm1_enable, port - HV_PORT_PM1_EVENT - 2);
  }
  if (port >= HV_PORT_PM1_CONTROL && port < HV_PORT_PM1_CONTROL + 2) {
    return ByteOf(s.pm1_control, port - HV_PORT_PM1_CONTROL);
  }
  switch (port) {
    case HV_PORT_RESET: return s.reset_control;
    case kPort92: return 2;  // A20 is on
    // No keyboard controller answers; all ones tell Linux so at once.
    default: return 0xff;
  }
}

void PowerCore::WriteByte(State& s, uint16_t port, uint8_t value, hv_access_done& done) const {
  if (port >= HV_PORT_PM1_EVENT && port < HV_PORT_PM1_EVENT + 2) {
    s.pm1_status &= static_cast<uint16_t>(~(value << (8 * (port - HV_PORT_PM1_EVENT))));
  } else if (port >= HV_PORT_PM1_EVENT + 2 && port < HV_PORT_PM1_EVENT + 4) {
    s.pm1_enable = WithByte(s.pm1_enable, port - HV_PORT_PM1_EVENT - 2, value) & kEnableBits;
  } else if (port >= HV_PORT_PM1_CONTROL && port < HV_PORT_PM1_CONTROL + 2) {
    const uint16_t control = WithByte(s.pm1_control, port - HV_PORT_PM1_CONTROL, value);
    s.pm1_control = static_cast<uint16_t>((control & ~kSleepEnable) | kSciEnable);
    const int sleep_type = control >> kSleepTypeShift & 7;
    if ((control & kSleepEnable) != 0 && sleep_type == HV_SLEEP_TYPE_S5) {
      done.event = HV_MACHINE_EVENT_POWER_OFF;
    }
  } else if (port == HV_PORT_RESET) {
    if ((value & kResetCpu) != 0 && (s.reset_control & kResetCpu) == 0) {
      done.event = HV_MACHINE_EVENT_RESET;
    }
    s.reset_control = value & 0x0e;
  } else if (port == HV_PORT_I8042_COMMAND) {
    if (value == kPulseReset) done.event = HV_MACHINE_EVENT_RESET;
  } else if (port == kPort92) {
    if ((value & 1) != 0) done.event = HV_MACHINE_EVENT_RESET;
  }
}

void PowerCore::UpdateSci(State& state, Actions& actions) const {
  const uint32_t level = (state.pm1_status & state.pm1_enable) != 0 ? 1 : 0;
  if (level == state.sci) return;
  state.sci = level;
  actions.Send(kIoapic, HV_KIND_LINE, 0, hv_line{.gsi = config_.sci_gsi, .level = level});
}

bool PowerCore::Handle(State& state, const Message& message, uint64_t, Actions& actions) const {
  bool known = true;
  switch (message.kind) {
    case HV_KIND_READ: {
      const auto access = message.As<hv_access>();
      uint64_t value = 0;
      for (uint32_t i = 0; i < access.width && i < 8; ++i) {
        const uint8_t byte = access.space == HV_SPACE_PORT
                                 ? ReadByte(state, static_cast<uint16_t>(access.address + i))
                                 : 0xff;
        value |= uint64_t{byte} << (8 * i);
      }
      actions.Send(message.from, HV_KIND_READ_DONE, message.tag, hv_access_done{.data = value});
      break;
    }
    case HV_KIND_WRITE: {
      const auto access = message.As<hv_access>();
      hv_access_done done{};
      if (access.space == HV_SPACE_PORT && access.address == HV_PORT_DEBUG_EXIT) {
        // One write of any width is one exit status.
        if (config_.debug_exit) {
          done.event = HV_MACHINE_EVENT_DEBUG_EXIT;
          done.event_value = static_cast<uint32_t>(access.data);
        }
      } else if (access.space == HV_SPACE_PORT) {
        for (uint32_t i = 0; i < access.width && i < 8; ++i) {
          WriteByte(state, static_cast<uint16_t>(access.address + i),
                    static_cast<uint8_t>(access.data >> (8 * i)), done);
        }
      }
      actions.Send(message.from, HV_KIND_WRITE_DONE, message.tag, done);
      break;
    }
    case HV_KIND_POWER_BUTTON:
      state.pm1_status |= kPowerButton;
      break;
    default:
      known = false;
  }
  UpdateSci(state, actions);
  return known;
}

void PowerCore::Tick(State&, uint64_t, Actions&) const {}

absl::StatusOr<std::string> PowerCore::Export(const State& state) const {
  hv::v1::PowerServiceState out;
  out.set_pm1_status(state.pm1_status);
  out.set_pm1_enable(state.pm1_enable);
  out.set_pm1_control(state.pm1_control);
  out.set_reset_control(state.reset_control);
  out.set_sci(state.sci != 0);
  return out.SerializeAsString();
}

absl::Status PowerCore::Import(State& state, absl::string_view bytes) const {
  hv::v1::PowerServiceState in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::InvalidArgumentError("state: not an hv.v1.PowerServiceState");
  }
  state = {};
  state.pm1_status = static_cast<uint16_t>(in.pm1_status() & kStatusBits);
  state.pm1_enable = static_cast<uint16_t>(in.pm1_enable() & kEnableBits);
  state.pm1_control = static_cast<uint16_t>(in.pm1_control());
  state.reset_control = static_cast<uint8_t>(in.reset_control() & 0x0e);
  state.sci = in.sci();
  return absl::OkStatus();
}

}  // namespace hv::power
