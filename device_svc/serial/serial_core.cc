#include "device_svc/serial/serial_core.h"

#include <algorithm>
#include <cstring>

#include "abi/endpoint.h"
#include "abi/route_table.h"
#include "absl/strings/str_cat.h"
#include "proto/hv/v1/serial_state.pb.h"

namespace hv::serial {
namespace {

using service::Actions;
using service::Message;

constexpr uint32_t kIoapic = HV_ENDPOINT(HV_ROLE_IOAPIC, 0);
constexpr uint32_t kHost = HV_ENDPOINT(HV_ROLE_HOST, 0);
constexpr uint8_t kPorts = 8;

bool Mine(const hv_access& access, uint16_t port) {
  return access.space == HV_SPACE_PORT && access.address - port < kPorts;
}

}  // namespace

void SerialCore::Reset(State& state, uint64_t, Actions&) const {
  Uart(state.uart).Reset();
  state.credit = kInitialCredit;
}

bool SerialCore::Handle(State& state, const Message& message, uint64_t now_ns,
                        Actions& actions) const {
  Uart uart(state.uart);
  bool known = true;
  switch (message.kind) {
    case HV_KIND_READ: {
      const auto access = message.As<hv_access>();
      uint64_t value = ~uint64_t{0};
      // Wider accesses are byte accesses to the ports that follow.
      for (uint32_t i = 0; i < access.width && i < 8; ++i) {
        hv_access byte = access;
        byte.address += i;
        const uint64_t shift = 8 * i;
        const uint64_t read =
            Mine(byte, config_.port)
                ? uart.Read(static_cast<uint8_t>(byte.address - config_.port))
                : 0xff;
        value = (value & ~(uint64_t{0xff} << shift)) | read << shift;
      }
      actions.Send(message.from, HV_KIND_READ_DONE, message.tag, hv_access_done{.data = value});
      break;
    }
    case HV_KIND_WRITE:
    case HV_KIND_WRITE_POSTED: {
      const auto access = message.As<hv_access>();
      for (uint32_t i = 0; i < access.width && i < 8; ++i) {
        hv_access byte = access;
        byte.address += i;
        if (!Mine(byte, config_.port)) continue;
        uart.Write(static_cast<uint8_t>(byte.address - config_.port),
                   static_cast<uint8_t>(access.data >> (8 * i)));
      }
      if (message.kind == HV_KIND_WRITE) {
        actions.Send(message.from, HV_KIND_WRITE_DONE, message.tag, hv_access_done{});
      }
      break;
    }
    case HV_KIND_CONSOLE_INPUT:
      known = Input(state, message);
      break;
    case HV_KIND_CONSOLE_CREDIT: {
      const uint32_t bytes = message.As<hv_credit>().bytes;
      known = bytes <= kInitialCredit - std::min(state.credit, kInitialCredit);
      if (known) state.credit += bytes;
      break;
    }
    default:
      known = false;
  }
  Settle(state, now_ns, actions);
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

// Moves what can be moved and tells whoever has to know.
void SerialCore::Settle(State& state, uint64_t, Actions& actions) const {
  Uart uart(state.uart);
  if (const size_t taken = uart.FillFifo(); taken != 0) {
    actions.Send(kHost, HV_KIND_CONSOLE_CREDIT, 0,
                 hv_credit{.bytes = static_cast<uint32_t>(taken)});
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
  const uint32_t level = uart.line() ? 1 : 0;
  if (level == state.line) return;
  state.line = level;
  actions.Send(kIoapic, HV_KIND_LINE, 0, hv_line{.gsi = config_.gsi, .level = level});
}

void SerialCore::Tick(State& state, uint64_t now_ns, Actions& actions) const {
  Settle(state, now_ns, actions);
}

absl::StatusOr<std::string> SerialCore::Export(const State& state) const {
  const UartState& u = state.uart;
  hv::v1::SerialServiceState out;
  out.set_ier(u.ier);
  out.set_fcr(u.fcr);
  out.set_lcr(u.lcr);
  out.set_mcr(u.mcr);
  out.set_scr(u.scr);
  out.set_divisor(u.divisor_high << 8 | u.divisor_low);
  out.set_line_errors(u.line_errors);
  out.set_modem_delta(u.modem_delta);
  out.set_thre_pending(u.thre_pending != 0);
  out.set_receive(u.receive, u.receive_count);
  out.set_transmit(u.transmit, u.transmit_count);
  for (uint32_t i = 0; i < u.input_count; ++i) {
    out.mutable_input()->push_back(static_cast<char>(u.input[(u.input_head + i) % kInputQueue]));
  }
  out.set_credit(state.credit);
  out.set_line(state.line != 0);
  return out.SerializeAsString();
}

absl::Status SerialCore::Import(State& state, absl::string_view bytes) const {
  hv::v1::SerialServiceState in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::InvalidArgumentError("state: not an hv.v1.SerialServiceState");
  }
  if (in.receive().size() > kReceiveFifo || in.transmit().size() > kTransmitQueue ||
      in.input().size() > kInputQueue || in.credit() > kInitialCredit) {
    return absl::InvalidArgumentError(absl::StrCat(
        "receive, transmit, input, credit: ", in.receive().size(), ", ", in.transmit().size(),
        ", ", in.input().size(), ", ", in.credit(), "; at most 16, 64, 1024, ", kInitialCredit));
  }
  State next{};
  UartState& u = next.uart;
  u.ier = static_cast<uint8_t>(in.ier() & 15);
  u.fcr = static_cast<uint8_t>(in.fcr());
  u.lcr = static_cast<uint8_t>(in.lcr());
  u.mcr = static_cast<uint8_t>(in.mcr() & 0x1f);
  u.scr = static_cast<uint8_t>(in.scr());
  u.divisor_low = static_cast<uint8_t>(in.divisor());
  u.divisor_high = static_cast<uint8_t>(in.divisor() >> 8);
  u.line_errors = static_cast<uint8_t>(in.line_errors());
  u.modem_delta = static_cast<uint8_t>(in.modem_delta());
  u.thre_pending = in.thre_pending();
  u.receive_count = static_cast<uint8_t>(in.receive().size());
  std::memcpy(u.receive, in.receive().data(), in.receive().size());
  u.transmit_count = static_cast<uint32_t>(in.transmit().size());
  std::memcpy(u.transmit, in.transmit().data(), in.transmit().size());
  u.input_count = static_cast<uint32_t>(in.input().size());
  std::memcpy(u.input, in.input().data(), in.input().size());
  next.credit = in.credit();
  next.line = in.line();
  state = next;
  return absl::OkStatus();
}

}  // namespace hv::serial
