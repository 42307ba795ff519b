// power_svc as a state machine: ACPI fixed hardware (ACPI 6.4, 4.8.3), reset control (port CF9H), the
// reset line of a keyboard controller (port 64H) and the debug-exit port.
#pragma once

#include <cstdint>

#include "service/core.h"

namespace hv::power {

// Plain data: the whole of the state.
struct State {
  uint16_t pm1_status;
  uint16_t pm1_enable;
  uint16_t pm1_control;
  uint8_t reset_control;
  uint8_t reserved;
  uint32_t sci;  // the line as last told to ioapic_svc
};

class PowerCore final : public service::TypedCore<State> {
 public:
  struct Config {
    bool debug_exit;
    uint32_t sci_gsi;
  };
  explicit PowerCore(Config config) : config_(config) {}

  uint32_t state_layout() const override { return 1; }

 protected:
  void Reset(State& state, uint64_t now_ns, service::Actions& actions) const override;
  bool Handle(State& state, const service::Message& message, uint64_t now_ns,
              service::Actions& actions) const override;
  void Tick(State& state, uint64_t now_ns, service::Actions& actions) const override;
  absl::StatusOr<std::string> Export(const State& state) const override;
  absl::Status Import(State& state, absl::string_view bytes) const override;

 private:
  uint8_t ReadByte(const State& state, uint16_t port) const;
  void WriteByte(State& state, uint16_t port, uint8_t value, hv_access_done& done) const;
  void UpdateSci(State& state, service::Actions& actions) const;

  const Config config_;
};

}  // namespace hv::power
