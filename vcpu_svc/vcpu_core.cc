#include "vcpu_svc/vcpu_core.h"

#include "vcpu_svc/message_handler.h"
#include "vcpu_svc/owed_messages.h"

namespace hv::vcpu {

using service::Actions;
using service::Message;

size_t VcpuCore::state_bytes() const {
  return sizeof(MachineState) + config_.cpus * sizeof(VcpuState);
}

void VcpuCore::Reset(void* state, uint64_t, Actions&) const {
  auto& machine = *static_cast<MachineState*>(state);
  for (uint32_t i = 0; i < config_.cpus; ++i) {
    VcpuState& v = machine.vcpu[i];
    LocalApic(v.apic).Reset(i, i == 0);
    v.waits_for_sipi = i != 0;
    ForEachStoredMsr(config_.intel,
                     [&v](uint32_t, const MsrRow& row, int slot) { v.msr[slot] = row.reset; });
  }
}

bool VcpuCore::Handle(void* state, const Message& message, uint64_t now_ns,
                      Actions& actions) const {
  Machine machine(config_, *static_cast<MachineState*>(state), now_ns);
  const bool known = MessageHandler(machine, actions).Handle(message);
  if (SendOwed(machine, actions)) actions.WakeAt(now_ns);
  return known;
}

// Wanted when messages are owed, and after an import: its page may have been another one.
void VcpuCore::Tick(void* state, uint64_t now_ns, Actions& actions) const {
  Machine machine(config_, *static_cast<MachineState*>(state), now_ns);
  for (uint32_t i = 0; i < config_.cpus; ++i) machine.SeeTaken(i);
  machine.PublishAll();
  actions.WakeAt(SendOwed(machine, actions) ? now_ns : service::kNever);
}

void VcpuCore::Project(const void* state) {
  const auto& machine = *static_cast<const MachineState*>(state);
  for (uint32_t i = 0; i < config_.pages.count(); ++i) config_.pages.Show(i, machine.vcpu[i]);
}

}  // namespace hv::vcpu
