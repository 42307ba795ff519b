#include "hv_kernel/injector.h"

#include <atomic>
#include <cstring>
#include <memory>

#include "abi/message.h"
#include "hv_kernel/reset_state.h"

namespace hv {
namespace {

PendingEvent LoadPending(const hv_vcpu_page& page) {
  auto& word = const_cast<uint64_t&>(page.pending);
  // Pairs with vcpu_svc's release store when it publishes a generation.
  return PendingEvent(std::atomic_ref<uint64_t>(word).load(std::memory_order_acquire));
}

// Applies a change of the whole register state. The engine accepts what reset_state.h makes: it is a
// state a CPU can be in.
template <typename Change>
void ChangeState(VcpuEngine& engine, Change change) {
  auto state = std::make_unique<hv_vcpu_state>();
  engine.GetState(*state);
  change(*state);
  engine.SetState(*state).IgnoreError();
}

}  // namespace

Injector::Injector(const hv_vcpu_page& page, VcpuEngine& engine, Line& reports,
                   Statistics& statistics, bool boot_cpu)
    : page_(page), engine_(engine), reports_(reports), statistics_(statistics),
      boot_cpu_(boot_cpu) {}

Injector::Result Injector::Offer() {
  const PendingEvent event = LoadPending(page_);
  if (event.generation() == taken_generation_ || !event.any()) {
    engine_.RequestInterruptWindow(false);
    engine_.RequestNmiWindow(false);
    return Result::kNothing;
  }
  if (event.init()) {
    ChangeState(engine_, [this](hv_vcpu_state& state) { ApplyInit(state, boot_cpu_); });
    activity_ = boot_cpu_ ? HV_ACTIVITY_RUNNING : HV_ACTIVITY_WAIT_FOR_SIPI;
    return Take(event, HV_PENDING_INIT);
  }
  if (event.sipi()) {
    if (activity_ == HV_ACTIVITY_WAIT_FOR_SIPI) {  // elsewhere a SIPI is ignored, SDM vol. 3, 9.4.4
      ChangeState(engine_, [&](hv_vcpu_state& state) { ApplySipi(state, event.vector()); });
      activity_ = HV_ACTIVITY_RUNNING;
    }
    return Take(event, HV_PENDING_SIPI);
  }
  if (activity_ == HV_ACTIVITY_WAIT_FOR_SIPI) return Result::kNothing;
  if (event.nmi()) {
    const Result result = OfferNmi(event);
    if (result != Result::kNothing) return result;
  }
  return event.interrupt() ? OfferInterrupt(event) : Result::kNothing;
}

Injector::Result Injector::OfferNmi(const PendingEvent& event) {
  if (!engine_.CanTakeNmi()) {
    engine_.RequestNmiWindow(true);
    return Result::kNothing;
  }
  engine_.RequestNmiWindow(false);
  engine_.InjectNmi();
  statistics_.nmis.Add();
  activity_ = HV_ACTIVITY_RUNNING;
  return Take(event, HV_PENDING_NMI);
}

Injector::Result Injector::OfferInterrupt(const PendingEvent& event) {
  if (!engine_.CanTakeInterrupt()) {
    engine_.RequestInterruptWindow(true);
    return Result::kNothing;
  }
  engine_.RequestInterruptWindow(false);
  engine_.InjectInterrupt(event.vector());
  statistics_.interrupts.Add();
  activity_ = HV_ACTIVITY_RUNNING;
  return Take(event, HV_PENDING_INTERRUPT | event.external());
}

Injector::Result Injector::Take(const PendingEvent& event, uint64_t what) {
  taken_generation_ = event.generation();
  hv_injected injected{};
  injected.generation = event.generation();
  injected.vector = event.vector();
  injected.event = static_cast<uint32_t>(what);
  const auto payload = service::Outgoing::Of(0, 0, 0, injected).payload;
  return reports_.Post(HV_KIND_INJECTED, payload) ? Result::kTaken : Result::kStopping;
}

}  // namespace hv
