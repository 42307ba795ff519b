#include "vcpu_svc/interrupt_routing.h"

#include "abi/message.h"
#include "vcpu_svc/apic_priority.h"

namespace hv::vcpu {
namespace {

constexpr uint32_t kXapicEverybody = 0xff, kX2apicEverybody = 0xffffffff;

bool MatchesX2apic(const Destination& destination, const LocalApicState& apic) {
  if (destination.id == kX2apicEverybody) return true;
  if (destination.from_outside && destination.id == kXapicEverybody) return true;
  if (!destination.logical) return destination.id == apic.id;
  return destination.id >> 16 == apic.ldr >> 16 && (destination.id & apic.ldr & 0xffff) != 0;
}

bool MatchesXapic(const Destination& destination, const LocalApicState& apic) {
  if (destination.id == kX2apicEverybody || destination.id == kXapicEverybody) return true;
  if (!destination.logical) return destination.id == apic.id;
  const uint32_t id = destination.id & 0xff;
  const uint32_t mine = apic.ldr >> 24;
  switch (apic.dfr) {
    case DestinationFormat::kFlat: return (mine & id) != 0;
    case DestinationFormat::kCluster: return mine >> 4 == id >> 4 && (mine & id & 0xf) != 0;
    default: return false;
  }
}

bool IsMeant(const MachineState& machine, uint32_t vcpu, uint32_t from,
             const InterruptMessage& message) {
  const LocalApicState& apic = machine.vcpu[vcpu].apic;
  if (!ApicBase(apic.base).enabled()) return false;
  switch (message.shorthand) {
    case Shorthand::kNone: return Matches(message.destination, apic);
    case Shorthand::kSelf: return vcpu == from;
    case Shorthand::kAll: return true;
    case Shorthand::kAllButSelf: return vcpu != from;
  }
  return false;
}

// The CPU with the lowest processor priority that can accept an interrupt.
VcpuSet ChooseLowest(MachineState& machine, uint32_t cpus, VcpuSet among) {
  uint32_t best = cpus;
  uint32_t lowest = 0;
  for (uint32_t i = 0; i < cpus; ++i) {
    const uint32_t vcpu = (machine.round_robin + i) % cpus;
    const LocalApicState& apic = machine.vcpu[vcpu].apic;
    if ((among >> vcpu & 1) == 0 || !SpuriousRegister(apic.svr).apic_enabled()) continue;
    const uint32_t priority = ProcessorPriority(apic);
    if (best != cpus && priority >= lowest) continue;
    best = vcpu;
    lowest = priority;
  }
  if (best == cpus) return 0;
  machine.round_robin = (best + 1) % cpus;
  return VcpuSet{1} << best;
}

}  // namespace

bool Matches(const Destination& destination, const LocalApicState& apic) {
  const ApicBase base(apic.base);
  if (!base.enabled()) return false;
  return base.x2apic() ? MatchesX2apic(destination, apic) : MatchesXapic(destination, apic);
}

VcpuSet Recipients(MachineState& machine, uint32_t cpus, uint32_t from,
                   const InterruptMessage& message) {
  VcpuSet meant = 0;
  for (uint32_t vcpu = 0; vcpu < cpus; ++vcpu) {
    if (IsMeant(machine, vcpu, from, message)) meant |= VcpuSet{1} << vcpu;
  }
  if (message.delivery_mode != HV_DELIVERY_LOWEST_PRIORITY) return meant;
  return ChooseLowest(machine, cpus, meant);
}

}  // namespace hv::vcpu
