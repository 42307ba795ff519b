#include "vcpu_svc/apic_priority.h"

namespace hv::vcpu {
namespace {

constexpr uint32_t kClass = 0xf0;

}  // namespace

uint32_t ProcessorPriority(const LocalApicState& apic) {
  const int in_service = apic.isr.Highest();
  const uint32_t service_class = in_service < 0 ? 0 : static_cast<uint32_t>(in_service) & kClass;
  return (apic.tpr & kClass) >= service_class ? apic.tpr : service_class;
}

int Deliverable(const LocalApicState& apic) {
  if (!ApicBase(apic.base).enabled()) return -1;
  const int requested = apic.irr.Highest();
  if (requested < 0) return -1;
  const uint32_t requested_class = static_cast<uint32_t>(requested) & kClass;
  return requested_class > (ProcessorPriority(apic) & kClass) ? requested : -1;
}

}  // namespace hv::vcpu
