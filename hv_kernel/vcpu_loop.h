// The run loop of one vCPU: enter, exit, route, inject.
#pragma once

#include <cstdint>

#include "abi/vcpu_page.h"
#include "hv_kernel/access.h"
#include "hv_kernel/engine.h"
#include "hv_kernel/exit_history.h"
#include "hv_kernel/injector.h"
#include "hv_kernel/run_control.h"
#include "hv_kernel/statistics.h"

namespace hv {

// How a vCPU thread sleeps while its guest CPU is halted.
class HaltWait {
 public:
  virtual ~HaltWait() = default;
  // Returns when `attention` is not zero, or at times without reason.
  virtual void WaitForAttention(const std::atomic<uint32_t>& attention) = 0;
};

class VcpuLoop {
 public:
  struct Parts {
    uint32_t index;
    VcpuEngine& engine;
    hv_vcpu_page& page;
    const Router& router;
    const LineMap& lines;
    Line& vcpu_service;
    RunControl& control;
    HaltWait& halt_wait;
    Statistics& statistics;
  };

  explicit VcpuLoop(const Parts& parts);

  // Runs the guest CPU until the machine stops. Once.
  void Run();

  // While parked (RunControl::Pause), from the control thread.
  Injector& injector() { return injector_; }
  const ExitHistory& history() const { return history_; }

 private:
  enum class Next { kGoOn, kStop };

  Next Attend();
  void Sleep();
  Next Handle(const Exit& exit);
  Next Fail(StopCause cause);
  // With the registers released.
  void ReportEvent(const AccessServer::MachineEvent& event);
  void ReportFailure(StopCause cause);

  Parts parts_;
  std::atomic_ref<uint32_t> attention_;
  AccessServer access_;
  Injector injector_;
  ExitHistory history_;
};

}  // namespace hv
