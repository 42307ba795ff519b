// power_svc as a state machine: ACPI power management, the ways to reset a PC, debug exit.
#pragma once

#include <cstdint>

#include "device_svc/power/i8042.h"
#include "device_svc/power/pm1.h"
#include "service/core.h"

namespace hv::power {

// Plain data: the whole of the state.
struct State {
  Pm1State pm1;
  uint8_t reset_control;
  uint8_t reserved;
  I8042State i8042;
  uint32_t sci;  // the line as last told to ioapic_svc
};

class PowerCore final : public service::TypedCore<State> {
 public:
  struct Config {
    bool debug_exit;  // false: nobody is at its port
    uint32_t sci_gsi;
  };
  explicit PowerCore(Config config) : config_(config) {}

  uint32_t state_layout() const override { return 2; }

 protected:
  void Reset(State& state, uint64_t now_ns, service::Actions& actions) const override;
  bool Handle(State& state, const service::Message& message, uint64_t now_ns,
              service::Actions& actions) const override;
  void Tick(State& state, uint64_t now_ns, service::Actions& actions) const override;
  absl::StatusOr<std::string> Export(const State& state) const override;
  absl::Status Import(State& state, absl::string_view bytes) const override;

 private:
  hv_access_done Read(State& state, const hv_access& access) const;
  hv_access_done Write(State& state, const hv_access& access) const;
  uint8_t ReadByte(State& state, uint64_t port) const;
  hv_machine_event WriteByte(State& state, uint64_t port, uint8_t value) const;
  void TellSci(State& state, service::Actions& actions) const;

  const Config config_;
};

}  // namespace hv::power
