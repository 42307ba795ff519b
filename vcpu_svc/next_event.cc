#include "vcpu_svc/next_event.h"

#include "abi/vcpu_page.h"
#include "vcpu_svc/apic_priority.h"

namespace hv::vcpu {
namespace {

// The 8259 pair's output reaches a CPU through LINT0 of an APIC in ExtINT mode, or past a disabled
// APIC the boot CPU's INTR pin.
bool HearsIntr(const LocalApicState& state, uint32_t vcpu) {
  if (!ApicBase(state.base).enabled()) return vcpu == 0;
  const LvtEntry lint0(state.lvt[static_cast<uint32_t>(Lvt::kLint0)]);
  return !lint0.masked() && lint0.delivery_mode() == HV_DELIVERY_EXTINT;
}

}  // namespace

uint64_t NextEvents(const MachineState& machine, uint32_t vcpu) {
  const VcpuState& v = machine.vcpu[vcpu];
  if (v.init_pending != 0) return HV_PENDING_INIT;
  if (v.sipi_pending != 0) return HV_PENDING_SIPI | v.sipi_vector;
  if (v.waits_for_sipi != 0) return 0;
  uint64_t events = v.nmi_pending != 0 ? HV_PENDING_NMI : 0;
  if (const int vector = Deliverable(v.apic); vector >= 0) {
    events |= HV_PENDING_INTERRUPT | static_cast<uint64_t>(vector);
  } else if (machine.intr_asserted != 0 && HearsIntr(v.apic, vcpu)) {
    events |= HV_PENDING_INTERRUPT | HV_PENDING_EXTINT | (machine.intr_vector & 0xff);
  }
  return events;
}

}  // namespace hv::vcpu
