// A small core with everything a core can have, for tests of the runtime: it adds up numbers, tells
// a peer each sum, and ticks.
#pragma once

#include <string>

#include "abi/message.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "service/core.h"

namespace hv::service {

struct SumState {
  uint64_t sum;
  uint64_t messages;
  uint64_t ticks;
};

// Speaks as a timer_svc: takes DEADLINE_SET (its time is the number to add) from vcpu_svc, answers
// DEADLINE_EXPIRED with the sum, and for every third message raises a line at ioapic_svc too.
class SumCore : public TypedCore<SumState> {
 public:
  static constexpr uint32_t kVcpu = HV_ENDPOINT(HV_ROLE_VCPU, 0);
  static constexpr uint32_t kIoapic = HV_ENDPOINT(HV_ROLE_IOAPIC, 0);
  static constexpr uint64_t kTickNs = 1000;

  uint32_t state_layout() const override { return 1; }

  // What Project has shown last, as a shared page would hold it.
  uint64_t projected_sum = 0;

 protected:
  void Reset(SumState&, uint64_t now_ns, Actions& actions) const override {
    actions.Send(kIoapic, HV_KIND_LINE, 0, hv_line{.gsi = 0, .level = 0});
    actions.WakeAt(now_ns + kTickNs);
  }
  bool Handle(SumState& state, const Message& message, uint64_t, Actions& actions) const override {
    if (message.kind != HV_KIND_DEADLINE_SET) return false;
    state.sum += message.As<hv_deadline>().time_ns;
    ++state.messages;
    actions.Send(kVcpu, HV_KIND_DEADLINE_EXPIRED, message.tag, hv_deadline{.time_ns = state.sum});
    if (state.messages % 3 == 0) {
      actions.Send(kIoapic, HV_KIND_LINE, 0,
                   hv_line{.gsi = static_cast<uint32_t>(state.messages), .level = 1});
    }
    return true;
  }
  void Tick(SumState& state, uint64_t now_ns, Actions& actions) const override {
    ++state.ticks;
    actions.WakeAt(now_ns + kTickNs);
  }
  void Project(const SumState& state) override { projected_sum = state.sum; }
  absl::StatusOr<std::string> Export(const SumState& state) const override {
    return absl::StrCat(state.sum);
  }
  absl::Status Import(SumState& state, absl::string_view bytes) const override {
    if (!absl::SimpleAtoi(bytes, &state.sum)) return absl::InvalidArgumentError("sum: no number");
    return absl::OkStatus();
  }
};

}  // namespace hv::service
