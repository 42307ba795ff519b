#include "device_svc/power/power_core.h"

#include "abi/endpoint.h"
#include "abi/platform.h"
#include "abi/route_table.h"
#include "device_svc/power/reset_control.h"
#include "service/access.h"

namespace hv::power {
namespace {

using service::Actions;
using service::Message;

constexpr uint32_t kIoapic = HV_ENDPOINT(HV_ROLE_IOAPIC, 0);
constexpr uint64_t kEventBytes = 4, kControlBytes = 2;
constexpr uint8_t kAbsent = 0xff;

// Whether `port` is one of `bytes` from `first`.
bool In(uint64_t port, uint64_t first, uint64_t bytes) { return port - first < bytes; }

hv_machine_event ResetIf(bool reset) {
  return reset ? HV_MACHINE_EVENT_RESET : HV_MACHINE_EVENT_NONE;
}

}  // namespace

void PowerCore::Reset(State& state, uint64_t, Actions&) const {
  Pm1(state.pm1).Reset();
  I8042(state.i8042).Reset();
}

uint8_t PowerCore::ReadByte(State& state, uint64_t port) const {
  if (In(port, HV_PORT_PM1_EVENT, kEventBytes)) {
    return Pm1(state.pm1).ReadEvent(static_cast<uint16_t>(port - HV_PORT_PM1_EVENT));
  }
  if (In(port, HV_PORT_PM1_CONTROL, kControlBytes)) {
    return Pm1(state.pm1).ReadControl(static_cast<uint16_t>(port - HV_PORT_PM1_CONTROL));
  }
  switch (port) {
    case HV_PORT_RESET: return ResetControl(state.reset_control).Read();
    case HV_PORT_I8042_COMMAND: return I8042(state.i8042).ReadStatus();
    case HV_PORT_I8042_DATA: return I8042(state.i8042).ReadData();
    default: return kAbsent;
  }
}

hv_machine_event PowerCore::WriteByte(State& state, uint64_t port, uint8_t value) const {
  if (In(port, HV_PORT_PM1_EVENT, kEventBytes)) {
    Pm1(state.pm1).WriteEvent(static_cast<uint16_t>(port - HV_PORT_PM1_EVENT), value);
    return HV_MACHINE_EVENT_NONE;
  }
  if (In(port, HV_PORT_PM1_CONTROL, kControlBytes)) {
    const auto offset = static_cast<uint16_t>(port - HV_PORT_PM1_CONTROL);
    return Pm1(state.pm1).WriteControl(offset, value) ? HV_MACHINE_EVENT_POWER_OFF
                                                      : HV_MACHINE_EVENT_NONE;
  }
  switch (port) {
    case HV_PORT_RESET: return ResetIf(ResetControl(state.reset_control).Write(value));
    case HV_PORT_I8042_COMMAND: return ResetIf(I8042(state.i8042).WriteCommand(value));
    case HV_PORT_I8042_DATA: return ResetIf(I8042(state.i8042).WriteData(value));
    default: return HV_MACHINE_EVENT_NONE;
  }
}

hv_access_done PowerCore::Read(State& state, const hv_access& access) const {
  return {.data = service::ReadBytes(access, [&](uint64_t port) {
            return access.space == HV_SPACE_PORT ? ReadByte(state, port) : kAbsent;
          })};
}

hv_access_done PowerCore::Write(State& state, const hv_access& access) const {
  hv_access_done done{};
  if (access.space != HV_SPACE_PORT) return done;
  if (access.address == HV_PORT_DEBUG_EXIT && config_.debug_exit) {
    // One write of any width is one exit status.
    done.event = HV_MACHINE_EVENT_DEBUG_EXIT;
    done.event_value = static_cast<uint32_t>(access.data);
    return done;
  }
  service::WriteBytes(access, [&](uint64_t port, uint8_t byte) {
    if (done.event == HV_MACHINE_EVENT_NONE) done.event = WriteByte(state, port, byte);
  });
  return done;
}

void PowerCore::TellSci(State& state, Actions& actions) const {
  const uint32_t level = Pm1(state.pm1).sci() ? 1 : 0;
  if (level == state.sci) return;
  state.sci = level;
  actions.Send(kIoapic, HV_KIND_LINE, 0, hv_line{.gsi = config_.sci_gsi, .level = level});
}

// Writes are never posted: the answer is what tells the machine that it ends.
bool PowerCore::Handle(State& state, const Message& message, uint64_t, Actions& actions) const {
  bool known = true;
  switch (message.kind) {
    case HV_KIND_READ:
      actions.Send(message.from, HV_KIND_READ_DONE, message.tag,
                   Read(state, message.As<hv_access>()));
      break;
    case HV_KIND_WRITE:
      actions.Send(message.from, HV_KIND_WRITE_DONE, message.tag,
                   Write(state, message.As<hv_access>()));
      break;
    case HV_KIND_POWER_BUTTON: Pm1(state.pm1).PressPowerButton(); break;
    default: known = false;
  }
  TellSci(state, actions);
  return known;
}

// Asked for by nobody but the runtime, after an import.
void PowerCore::Tick(State& state, uint64_t, Actions& actions) const { TellSci(state, actions); }

}  // namespace hv::power
