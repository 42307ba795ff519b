// Brings a vCPU thread out of the guest when another process wants its attention, on engines that
// look at nothing while they are in there.
//
// The watch sleeps on `kicks` of the vCPU page (abi/vcpu_page.h has the protocol, kvm/entry_gate.h
// the vCPU thread's half). vcpu_svc may do no more than raise that word; a signal to the vCPU
// thread has to come from its own process.
#pragma once

#include <atomic>
#include <thread>

#include "abi/vcpu_page.h"
#include "hv_kernel/engine.h"

namespace hv {

class KickWatch {
 public:
  // Both outlive it.
  KickWatch(hv_vcpu_page& page, VcpuEngine& engine);
  // Ends the watch at once.
  ~KickWatch();
  KickWatch(const KickWatch&) = delete;
  KickWatch& operator=(const KickWatch&) = delete;

 private:
  void Watch();

  hv_vcpu_page& page_;
  VcpuEngine& engine_;
  std::atomic<bool> done_{false};
  std::thread thread_;
};

}  // namespace hv
