#include "vcpu_svc/interrupt_delivery.h"

#include <bit>

#include "abi/message.h"
#include "vcpu_svc/interrupt_routing.h"

namespace hv::vcpu {
namespace {

void Initialize(Machine& machine, uint32_t vcpu) {
  VcpuState& v = machine.vcpu(vcpu);
  const bool timer_was_armed = v.apic.timer.deadline_ns != 0;
  machine.apic(vcpu).Init();
  if (timer_was_armed) machine.TimerChanged(vcpu);
  v.init_pending = 1;
  v.sipi_pending = v.nmi_pending = 0;
  v.waits_for_sipi = vcpu != 0;
}

void StartUp(Machine& machine, uint32_t vcpu, uint8_t vector) {
  VcpuState& v = machine.vcpu(vcpu);
  if (v.waits_for_sipi == 0) return;
  v.sipi_pending = 1;
  v.sipi_vector = vector;
}

// REQUIRES: SeeTaken(vcpu).
void Deliver(Machine& machine, uint32_t vcpu, const InterruptMessage& message) {
  switch (message.delivery_mode) {
    case HV_DELIVERY_FIXED:
    case HV_DELIVERY_LOWEST_PRIORITY:
      machine.apic(vcpu).Accept(message.vector, message.level_triggered);
      break;
    case HV_DELIVERY_NMI: machine.vcpu(vcpu).nmi_pending = 1; break;
    case HV_DELIVERY_INIT: Initialize(machine, vcpu); break;
    case HV_DELIVERY_STARTUP: StartUp(machine, vcpu, message.vector); break;
    case HV_DELIVERY_SMI:
      ++machine.state().ignored_smis;  // there is no system-management mode
      break;
    default: break;  // reserved; ExtINT, whose vector only HV_KIND_INTR has
  }
}

void RaiseLint0(Machine& machine, uint32_t vcpu) {
  LocalApic apic = machine.apic(vcpu);
  const auto lint0 = apic.Unmasked(Lvt::kLint0);
  if (!apic.enabled() || !lint0) return;
  switch (lint0->delivery_mode()) {
    case HV_DELIVERY_FIXED: apic.Accept(lint0->vector(), false); break;
    case HV_DELIVERY_NMI: machine.vcpu(vcpu).nmi_pending = 1; break;
    default: break;
  }
}

}  // namespace

void Send(Machine& machine, uint32_t from, const InterruptMessage& message) {
  if (!message.asserts) return;  // de-assertion, of INIT alone, has been without effect since P6
  VcpuSet recipients = Recipients(machine.state(), machine.cpus(), from, message);
  for (; recipients != 0; recipients &= recipients - 1) {
    const auto vcpu = static_cast<uint32_t>(std::countr_zero(recipients));
    machine.SeeTaken(vcpu);
    Deliver(machine, vcpu, message);
    machine.Publish(vcpu);
  }
}

void SetIntr(Machine& machine, bool asserted, uint8_t vector, uint32_t acknowledged) {
  for (uint32_t vcpu = 0; vcpu < machine.cpus(); ++vcpu) machine.SeeTaken(vcpu);
  MachineState& state = machine.state();
  // Sent by who did not know of the last vector taken; another follows if the output is high.
  if (static_cast<int32_t>(acknowledged - state.intr_taken) < 0) return;
  const bool rises = asserted && state.intr_asserted == 0;
  state.intr_asserted = asserted ? 1 : 0;
  state.intr_vector = vector;
  for (uint32_t vcpu = 0; vcpu < machine.cpus(); ++vcpu) {
    if (rises) RaiseLint0(machine, vcpu);
    machine.Publish(vcpu);
  }
}

}  // namespace hv::vcpu
