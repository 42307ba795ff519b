// Serves port, memory, MSR and CR8 exits: one message to whoever answers there, and back.
#pragma once

#include <cstdint>
#include <optional>

#include "hv_kernel/engine.h"
#include "hv_kernel/line_map.h"
#include "hv_kernel/router.h"
#include "hv_kernel/run_control.h"
#include "hv_kernel/statistics.h"

namespace hv {

class AccessServer {
 public:
  // What remains to be done after an exit was served.
  enum class Result { kGoOn, kMachineEvent, kStopping };

  AccessServer(const Router& router, const LineMap& lines, Statistics& statistics)
      : router_(router), lines_(lines), statistics_(statistics) {}

  // On the path of an exit: general registers alone (VcpuEngine).
  // REQUIRES: exit.reason is one of kPortRead ... kCr8Write. Completes the exit at `vcpu` unless
  // the machine is stopping. After kMachineEvent, `event()` says what the guest asked for.
  Result Serve(const Exit& exit, VcpuEngine& vcpu);

  // Why the machine is to stop.
  struct MachineEvent {
    StopCause cause = StopCause::kRequested;
    uint32_t value = 0;
  };
  const MachineEvent& event() const { return event_; }

 private:
  Result Read(hv_space space, const Exit& exit, VcpuEngine& vcpu);
  Result Write(hv_space space, const Exit& exit);
  Result AskVcpuService(uint16_t kind, const Exit& exit, VcpuEngine& vcpu, bool is_read);

  const Router& router_;
  const LineMap& lines_;
  Statistics& statistics_;
  MachineEvent event_;
};

}  // namespace hv
