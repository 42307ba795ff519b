// timer_svc as a state machine: 8254, HPET, RTC, ACPI PM timer and the local APICs' deadlines.
#pragma once

#include <cstdint>

#include "abi/endpoint.h"
#include "service/core.h"
#include "timer_svc/apic_deadlines.h"
#include "timer_svc/hpet.h"
#include "timer_svc/i8254.h"
#include "timer_svc/rtc.h"

namespace hv::timer {

// Plain data: the whole of the state.
struct State {
  I8254State pit;
  HpetState hpet;
  RtcState rtc;
  uint32_t lines;  // as last told to ioapic_svc, a bit for each GSI
  uint32_t reserved;
  DeadlineState deadlines[HV_MAX_VCPUS];
};

class TimerCore final : public service::TypedCore<State> {
 public:
  struct Config {
    uint32_t cpus;
    int64_t realtime_base_ns;
  };
  explicit TimerCore(Config config) : config_(config) {}

  uint32_t state_layout() const override { return 2; }

 protected:
  void Reset(State& state, uint64_t now_ns, service::Actions& actions) const override;
  bool Handle(State& state, const service::Message& message, uint64_t now_ns,
              service::Actions& actions) const override;
  void Tick(State& state, uint64_t now_ns, service::Actions& actions) const override;
  absl::StatusOr<std::string> Export(const State& state) const override;
  absl::Status Import(State& state, absl::string_view bytes) const override;

 private:
  class Step;
  const Config config_;
};

}  // namespace hv::timer
