// Gives the guest what vcpu_svc has published in the vCPU page: each generation once.
#pragma once

#include <cstdint>

#include "abi/vcpu_page.h"
#include "hv_kernel/engine.h"
#include "hv_kernel/line.h"
#include "hv_kernel/pending_event.h"
#include "hv_kernel/statistics.h"

namespace hv {

class Injector {
 public:
  enum class Result {
    kNothing,   // nothing pending that can be taken now; windows are asked for where wanted
    kTaken,     // something was injected or applied and reported to vcpu_svc
    kStopping,  // the report could not be sent: the machine is stopping
  };

  // `reports` leads to vcpu_svc, `pic` to ioapic_svc; null: the machine has none. `boot_cpu`
  // matters to INIT alone.
  Injector(hv_vcpu_page& page, VcpuEngine& engine, Line& reports, Line* pic, Statistics& statistics,
           bool boot_cpu);

  // Looks at the page and acts. On the path of an exit: general registers alone (VcpuEngine).
  // REQUIRES: the engine is between two instructions.
  Result Offer();

  // HLT was executed: nothing runs until something is taken that ends it.
  void Halt() { activity_ = HV_ACTIVITY_HALTED; }
  // False while halted or waiting for SIPI.
  bool runnable() const { return activity_ == HV_ACTIVITY_RUNNING; }
  // Takes over the activity of a state given to the engine.
  void SetActivity(hv_activity activity) { activity_ = activity; }
  hv_activity activity() const { return activity_; }

 private:
  // INIT and SIPI change the whole register state. With the registers released.
  void Reset();
  void StartUp(uint8_t vector);
  Result Take(const PendingEvent& event, uint64_t what);
  Result OfferNmi(const PendingEvent& event);
  Result OfferInterrupt(const PendingEvent& event);

  hv_vcpu_page& page_;
  VcpuEngine& engine_;
  Line& reports_;
  Line* const pic_;
  Statistics& statistics_;
  const bool boot_cpu_;
  uint32_t taken_generation_ = 0;
  hv_activity activity_ = HV_ACTIVITY_RUNNING;
};

}  // namespace hv
