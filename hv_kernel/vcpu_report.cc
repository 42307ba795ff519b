// What a vCPU says when it stops the machine. With all registers: the path of an exit is over.
#include "hv_kernel/vcpu_loop.h"

namespace hv {

void VcpuLoop::ReportEvent(const AccessServer::MachineEvent& event) {
  parts_.control.ReportStop({.cause = event.cause, .vcpu = parts_.index, .value = event.value});
}

void VcpuLoop::ReportFailure(StopCause cause) {
  StopReport report{.cause = cause, .vcpu = parts_.index};
  report.detail = parts_.engine.Describe();
  report.bytes_at_rip = parts_.engine.BytesAtRip();
  report.last_exits = history_.Last();
  parts_.engine.GetState(report.state.emplace());
  parts_.control.ReportStop(std::move(report));
}

}  // namespace hv
