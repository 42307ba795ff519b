// ioapic_svc as a state machine: lines in, interrupts out, through the GSI routing table, the I/O
// APIC and the 8259 pair.
#pragma once

#include <cstdint>

#include "ioapic_svc/gsi_routing.h"
#include "ioapic_svc/i8259_pair.h"
#include "ioapic_svc/ioapic.h"
#include "service/core.h"

namespace hv::ioapic {

// Plain data: the whole of the state.
struct State {
  IoapicState ioapic;
  I8259PairState pics;
  uint32_t intr_asserted;  // as last told to vcpu_svc
  uint32_t intr_vector;
  uint32_t intr_acknowledged;  // INTAs received, modulo 2^32
  // Which endpoints hold a wired GSI's line up, one bit each; a line is the OR of its sources.
  uint32_t sources[HV_IOAPIC_INPUTS];
  GsiRoutingState routing;
};

class IoapicCore final : public service::TypedCore<State> {
 public:
  uint32_t state_layout() const override { return 3; }

 protected:
  void Reset(State& state, uint64_t now_ns, service::Actions& actions) const override;
  bool Handle(State& state, const service::Message& message, uint64_t now_ns,
              service::Actions& actions) const override;
  void Tick(State& state, uint64_t now_ns, service::Actions& actions) const override;
  absl::StatusOr<std::string> Export(const State& state) const override;
  absl::Status Import(State& state, absl::string_view bytes) const override;
};

}  // namespace hv::ioapic
