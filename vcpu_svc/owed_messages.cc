#include "vcpu_svc/owed_messages.h"

#include "abi/endpoint.h"
#include "abi/message.h"

namespace hv::vcpu {
namespace {

constexpr uint32_t kTimer = HV_ENDPOINT(HV_ROLE_TIMER, 0);

}  // namespace

bool SendOwed(Machine& machine, service::Actions& actions) {
  int room = kOwedPerStep;
  for (uint32_t i = 0; i < machine.cpus(); ++i) {
    VcpuState& v = machine.vcpu(i);
    if (v.deadline_owed != 0) {
      if (room-- == 0) return true;
      v.deadline_owed = 0;
      actions.Send(kTimer, HV_KIND_DEADLINE_SET, 0,
                   hv_deadline{.time_ns = v.apic.timer.deadline_ns,
                               .vcpu = i,
                               .generation = v.apic.timer.generation});
    }
  }
  return false;
}

}  // namespace hv::vcpu
