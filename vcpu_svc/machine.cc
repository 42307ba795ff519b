#include "vcpu_svc/machine.h"

#include "vcpu_svc/event_word.h"
#include "vcpu_svc/next_event.h"

namespace hv::vcpu {

void Machine::SeeTaken(uint32_t index) {
  const auto word = config_.pages.Taken(index);
  if (!word) return;
  VcpuState& v = vcpu(index);
  const EventWord taken(*word);
  if (taken.generation() == v.taken_generation) return;
  v.taken_generation = taken.generation();
  Took(index, *word);
  Publish(index);
}

void Machine::Took(uint32_t index, uint64_t word) {
  VcpuState& v = vcpu(index);
  const EventWord taken(word);
  if (taken.init()) {
    v.init_pending = 0;
    return;
  }
  if (taken.interrupt() && taken.external()) {
    ++state_.intr_taken;
    state_.intr_asserted = 0;  // until ioapic_svc says otherwise
    PublishAll();
    return;
  }
  // Taken before the INIT that is on its way, which undoes it.
  if (v.init_pending != 0) return;
  if (taken.sipi()) {
    v.sipi_pending = 0;
    v.waits_for_sipi = 0;
  } else if (taken.nmi()) {
    v.nmi_pending = 0;
  } else if (taken.interrupt()) {
    apic(index).Acknowledge(taken.vector());
  }
}

void Machine::Publish(uint32_t index) {
  VcpuState& v = vcpu(index);
  const uint64_t events = NextEvents(state_, index);
  const EventWord published(v.published);
  const bool taken = v.taken_generation == published.generation();
  if (taken ? events == 0 : events == published.events()) return;
  v.published = EventWord::Make(published.generation() + 1, events);
}

void Machine::PublishAll() {
  for (uint32_t i = 0; i < cpus(); ++i) Publish(i);
}

void Machine::TimerChanged(uint32_t index) {
  ++vcpu(index).apic.timer.generation;
  vcpu(index).deadline_owed = 1;
}

}  // namespace hv::vcpu
