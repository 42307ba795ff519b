// The state of power_svc as Protobuf and back.
#include "device_svc/power/power_core.h"
#include "device_svc/power/reset_control.h"
#include "proto/hv/v1/power_state.pb.h"

namespace hv::power {

absl::StatusOr<std::string> PowerCore::Export(const State& state) const {
  hv::v1::PowerServiceState out;
  out.set_pm1_status(state.pm1.status);
  out.set_pm1_enable(state.pm1.enable);
  out.set_pm1_control(state.pm1.control);
  out.set_reset_control(state.reset_control);
  out.set_sci(state.sci != 0);
  auto& i8042 = *out.mutable_i8042();
  i8042.set_configuration(state.i8042.configuration);
  i8042.set_output(state.i8042.output);
  i8042.set_status(state.i8042.status);
  i8042.set_awaiting_data(state.i8042.awaiting_data);
  return out.SerializeAsString();
}

absl::Status PowerCore::Import(State& state, absl::string_view bytes) const {
  hv::v1::PowerServiceState in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::InvalidArgumentError("state: not an hv.v1.PowerServiceState");
  }
  state = {};
  state.pm1.status = static_cast<uint16_t>(in.pm1_status());
  state.pm1.enable = static_cast<uint16_t>(in.pm1_enable());
  state.pm1.control = static_cast<uint16_t>(in.pm1_control());
  Pm1(state.pm1).Sanitize();
  state.reset_control = static_cast<uint8_t>(in.reset_control()) & ResetControl::kBits;
  state.sci = in.sci();
  I8042(state.i8042).Reset();
  if (in.has_i8042()) {
    state.i8042.configuration = static_cast<uint8_t>(in.i8042().configuration());
    state.i8042.output = static_cast<uint8_t>(in.i8042().output());
    state.i8042.status = static_cast<uint8_t>(in.i8042().status());
    state.i8042.awaiting_data = static_cast<uint8_t>(in.i8042().awaiting_data());
    I8042(state.i8042).Sanitize();
  }
  return absl::OkStatus();
}

}  // namespace hv::power
