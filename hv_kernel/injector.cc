#include "hv_kernel/injector.h"

#include <atomic>

#include "abi/message.h"

namespace hv {
namespace {

PendingEvent LoadPending(hv_vcpu_page& page) {
  // Pairs with vcpu_svc's release store when it publishes a generation.
  return PendingEvent(std::atomic_ref<uint64_t>(page.pending).load(std::memory_order_acquire));
}

}  // namespace

Injector::Injector(hv_vcpu_page& page, VcpuEngine& engine, Line& reports, Line* pic,
                   Statistics& statistics, bool boot_cpu)
    : page_(page),
      engine_(engine),
      reports_(reports),
      pic_(pic),
      statistics_(statistics),
      boot_cpu_(boot_cpu) {}

Injector::Result Injector::Offer() {
  const PendingEvent event = LoadPending(page_);
  const uint32_t acknowledged =
      std::atomic_ref<uint32_t>(page_.acknowledged).load(std::memory_order_relaxed);
  if (event.generation() == taken_generation_ || acknowledged != taken_generation_ ||
      !event.any()) {
    engine_.RequestInterruptWindow(false);
    engine_.RequestNmiWindow(false);
    return Result::kNothing;
  }
  if (event.init()) {
    engine_.ReleaseRegisters();
    Reset();
    activity_ = boot_cpu_ ? HV_ACTIVITY_RUNNING : HV_ACTIVITY_WAIT_FOR_SIPI;
    return Take(event, HV_PENDING_INIT);
  }
  if (event.sipi()) {
    if (activity_ == HV_ACTIVITY_WAIT_FOR_SIPI) {  // elsewhere a SIPI is ignored, SDM vol. 3, 9.4.4
      engine_.ReleaseRegisters();
      StartUp(event.vector());
      activity_ = HV_ACTIVITY_RUNNING;
    }
    return Take(event, HV_PENDING_SIPI);
  }
  if (activity_ == HV_ACTIVITY_WAIT_FOR_SIPI) return Result::kNothing;
  if (event.nmi()) {
    const Result result = OfferNmi(event);
    if (result != Result::kNothing) return result;
  }
  if (event.interrupt()) return OfferInterrupt(event);
  // A window left open for what is no longer pending would end each entry before it began.
  engine_.RequestInterruptWindow(false);
  return Result::kNothing;
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
  const uint64_t taken =
      uint64_t{event.generation()} << HV_PENDING_GENERATION_SHIFT | what | event.vector();
  // Pairs with the acquire load in vcpu_svc: what the guest does next comes after.
  std::atomic_ref<uint64_t>(page_.taken).store(taken, std::memory_order_release);
  if ((what & HV_PENDING_EXTINT) != 0 && pic_ != nullptr) {
    const hv_intr inta{.vector = event.vector()};
    if (!pic_->Post(HV_KIND_INTA, service::Outgoing::Of(0, 0, 0, inta).payload)) {
      return Result::kStopping;
    }
  }
  return reports_.Post(HV_KIND_INJECTED, {}) ? Result::kTaken : Result::kStopping;
}

}  // namespace hv
