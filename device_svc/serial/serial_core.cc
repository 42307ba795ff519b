#include "device_svc/serial/serial_core.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "abi/endpoint.h"
#include "abi/route_table.h"
#include "service/access.h"

namespace hv::serial {
namespace {

using service::Actions;
using service::Message;

constexpr uint32_t kIoapic = HV_ENDPOINT(HV_ROLE_IOAPIC, 0);
constexpr uint32_t kHost = HV_ENDPOINT(HV_ROLE_HOST, 0);
constexpr uint64_t kPorts = 8;
constexpr uint8_t kAbsent = 0xff;

// The register at `port`, if it is one of a UART at `first`.
std::optional<UartRegister> RegisterAt(uint64_t port, uint16_t first) {
  const uint64_t offset = port - first;
  if (offset >= kPorts) return std::nullopt;
  return static_cast<UartRegister>(offset);
}

}  // namespace

void SerialCore::Reset(State& state, uint64_t, Actions&) const {
  Uart(state.uart).Reset();
  state.credit = kInitialCredit;
  state.pulse_at_ns = service::kNever;
}

uint64_t SerialCore::Read(State& state, const hv_access& access) const {
  return service::ReadBytes(access, [&](uint64_t port) {
    const auto reg = RegisterAt(port, config_.port);
    return reg && access.space == HV_SPACE_PORT ? Uart(state.uart).Read(*reg) : kAbsent;
  });
}

void SerialCore::Write(State& state, const hv_access& access) const {
  if (access.space != HV_SPACE_PORT) return;
  service::WriteBytes(access, [&](uint64_t port, uint8_t byte) {
    const auto reg = RegisterAt(port, config_.port);
    if (reg) Uart(state.uart).Write(*reg, byte);
  });
}

bool SerialCore::IsData(const hv_access& access) const {
  return access.space == HV_SPACE_PORT && access.address == config_.port;
}

bool SerialCore::Handle(State& state, const Message& message, uint64_t now_ns,
                        Actions& actions) const {
  bool known = true;
  bool data = false;
  switch (message.kind) {
    case HV_KIND_READ: {
      const auto access = message.As<hv_access>();
      data = IsData(access);
      const hv_access_done done{.data = Read(state, access)};
      actions.Send(message.from, HV_KIND_READ_DONE, message.tag, done);
      break;
    }
    case HV_KIND_WRITE:
    case HV_KIND_WRITE_POSTED: {
      const auto access = message.As<hv_access>();
      data = IsData(access);
      Write(state, access);
      if (message.kind == HV_KIND_WRITE) {
        actions.Send(message.from, HV_KIND_WRITE_DONE, message.tag, hv_access_done{});
      }
      break;
    }
    case HV_KIND_CONSOLE_INPUT: known = Input(state, message); break;
    case HV_KIND_CONSOLE_CREDIT: {
      const uint32_t bytes = message.As<hv_credit>().bytes;
      known = bytes <= kInitialCredit - state.credit;
      if (known) state.credit += bytes;
      break;
    }
    default: known = false;
  }
  MoveCharacters(state, actions);
  const bool level = Uart(state.uart).line();
  if (level != (state.line != 0)) {
    TellLine(state, level, actions);
    state.pulse_at_ns = service::kNever;
  } else if (level && data) {
    state.pulse_at_ns = now_ns + kCharacterNs;
  }
  actions.WakeAt(state.pulse_at_ns);
  return known;
}

bool SerialCore::Input(State& state, const Message& message) const {
  Uart uart(state.uart);
  const auto bytes = message.As<hv_bytes>();
  if (bytes.length == 0 || bytes.length > HV_BYTES_MAX || bytes.length > uart.input_room()) {
    return false;
  }
  for (uint32_t i = 0; i < bytes.length; ++i) uart.Receive(bytes.bytes[i]);
  return true;
}

// Both ways, as far as there is room and credit.
void SerialCore::MoveCharacters(State& state, Actions& actions) const {
  Uart uart(state.uart);
  state.uncredited += static_cast<uint32_t>(uart.FillFifo());
  if (state.uncredited >= kCreditLot) {
    actions.Send(kHost, HV_KIND_CONSOLE_CREDIT, 0, hv_credit{.bytes = state.uncredited});
    state.uncredited = 0;
  }
  while (uart.transmit_count() != 0 && state.credit != 0) {
    hv_bytes out{};
    out.length = static_cast<uint32_t>(
        std::min({uart.transmit_count(), size_t{HV_BYTES_MAX}, size_t{state.credit}}));
    std::memcpy(out.bytes, uart.transmit(), out.length);
    actions.Send(kHost, HV_KIND_CONSOLE_OUTPUT, 0, out);
    uart.Transmitted(out.length);
    state.credit -= out.length;
  }
}

void SerialCore::TellLine(State& state, bool level, Actions& actions) const {
  state.line = level ? 1 : 0;
  actions.Send(kIoapic, HV_KIND_LINE, 0, hv_line{.gsi = config_.gsi, .level = state.line});
}

// A 16550A lowers its interrupt when a character is taken or given and raises it again when the
// next one has come or gone, a character time later. Here the next one is there at once and the
// line just stays up, which an edge-triggered input cannot see. So it is told anew after that time,
// unless the driver has seen to it by then (as those do that go on until the IIR has nothing left).
void SerialCore::Tick(State& state, uint64_t now_ns, Actions& actions) const {
  MoveCharacters(state, actions);
  const bool level = Uart(state.uart).line();
  if (level && state.line != 0 && now_ns >= state.pulse_at_ns) TellLine(state, false, actions);
  if (level != (state.line != 0)) TellLine(state, level, actions);
  if (!level || now_ns >= state.pulse_at_ns) state.pulse_at_ns = service::kNever;
  actions.WakeAt(state.pulse_at_ns);
}

}  // namespace hv::serial
