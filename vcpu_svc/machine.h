// What one step of vcpu_svc works on: the vCPUs, and the moves that several of its duties share.
#pragma once

#include <cstdint>

#include "service/actions.h"
#include "vcpu_svc/vcpu_pages.h"
#include "vcpu_svc/vcpu_state.h"

namespace hv::vcpu {

struct MachineConfig {
  uint32_t cpus;    // 1 to HV_MAX_VCPUS
  uint64_t tsc_hz;  // not 0
  bool intel;
  uint64_t arch_capabilities = 0;
  int64_t realtime_base_ns = 0;  // Unix time at machine time 0
  VcpuPages pages = {};
};

class Machine {
 public:
  Machine(const MachineConfig& config, MachineState& state, uint64_t now_ns)
      : config_(config), state_(state), now_ns_(now_ns) {}

  const MachineConfig& config() const { return config_; }
  uint32_t cpus() const { return config_.cpus; }
  uint64_t now_ns() const { return now_ns_; }
  MachineState& state() { return state_; }
  VcpuState& vcpu(uint32_t vcpu) { return state_.vcpu[vcpu]; }
  LocalApic apic(uint32_t vcpu) { return LocalApic(state_.vcpu[vcpu].apic); }

  // Learns what the vCPU took last. Comes before anything is delivered to it: an edge of the very
  // interrupt it has just taken is a new one (abi/vcpu_page.h).
  void SeeTaken(uint32_t vcpu);

  // Publishes what the vCPU is to take next, under a new generation, if that has changed.
  void Publish(uint32_t vcpu);
  void PublishAll();

  // The deadline of the vCPU's timer is not what timer_svc was told. Gives it a new generation:
  // what timer_svc reports of the old one is no longer meant.
  void TimerChanged(uint32_t vcpu);

 private:
  void Took(uint32_t vcpu, uint64_t word);

  const MachineConfig& config_;
  MachineState& state_;
  const uint64_t now_ns_;
};

}  // namespace hv::vcpu
