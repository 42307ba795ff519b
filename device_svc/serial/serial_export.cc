// The state of serial_svc as Protobuf and back.
#include <cstring>

#include "absl/strings/str_cat.h"
#include "device_svc/serial/serial_core.h"
#include "proto/hv/v1/serial_state.pb.h"

namespace hv::serial {
namespace {

// Bits that the registers have (PC16550D, table II).
constexpr uint32_t kIer = 0x0f, kFcr = 0xc9, kMcr = 0x1f, kLineErrors = 0x1e, kModemDelta = 0x0f;

}  // namespace

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
  out.set_uncredited(state.uncredited);
  out.set_line(state.line != 0);
  out.set_pulse_at_ns(state.pulse_at_ns);
  return out.SerializeAsString();
}

absl::Status SerialCore::Import(State& state, absl::string_view bytes) const {
  hv::v1::SerialServiceState in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::InvalidArgumentError("state: not an hv.v1.SerialServiceState");
  }
  if (in.receive().size() > kReceiveFifo || in.transmit().size() > kTransmitQueue ||
      in.input().size() > kInputQueue || in.credit() > kInitialCredit ||
      in.uncredited() >= kCreditLot) {
    return absl::InvalidArgumentError(
        absl::StrCat("receive, transmit, input, credit, uncredited: ", in.receive().size(), ", ",
                     in.transmit().size(), ", ", in.input().size(), ", ", in.credit(), ", ",
                     in.uncredited(), "; at most ", kReceiveFifo, ", ", kTransmitQueue, ", ",
                     kInputQueue, ", ", kInitialCredit, ", ", kCreditLot - 1));
  }
  State next{};
  UartState& u = next.uart;
  u.ier = static_cast<uint8_t>(in.ier() & kIer);
  u.fcr = static_cast<uint8_t>(in.fcr() & kFcr);
  u.lcr = static_cast<uint8_t>(in.lcr());
  u.mcr = static_cast<uint8_t>(in.mcr() & kMcr);
  u.scr = static_cast<uint8_t>(in.scr());
  u.divisor_low = static_cast<uint8_t>(in.divisor());
  u.divisor_high = static_cast<uint8_t>(in.divisor() >> 8);
  u.line_errors = static_cast<uint8_t>(in.line_errors() & kLineErrors);
  u.modem_delta = static_cast<uint8_t>(in.modem_delta() & kModemDelta);
  u.thre_pending = in.thre_pending();
  u.receive_count = static_cast<uint8_t>(in.receive().size());
  std::memcpy(u.receive, in.receive().data(), in.receive().size());
  u.transmit_count = static_cast<uint32_t>(in.transmit().size());
  std::memcpy(u.transmit, in.transmit().data(), in.transmit().size());
  u.input_count = static_cast<uint32_t>(in.input().size());
  std::memcpy(u.input, in.input().data(), in.input().size());
  next.credit = in.credit();
  next.uncredited = in.uncredited();
  next.line = in.line();
  next.pulse_at_ns = in.pulse_at_ns();
  state = next;
  return absl::OkStatus();
}

}  // namespace hv::serial
