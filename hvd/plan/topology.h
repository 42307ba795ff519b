// Who takes part in a machine and who talks to whom.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace hv::hvd {

// One channel. Side A is the lower endpoint.
struct ChannelPlan {
  uint32_t side_a;
  uint32_t side_b;
  uint32_t capacity;  // cells each way
};

struct Topology {
  std::vector<uint32_t> vcpus;     // endpoints of hv_kernel's vCPU threads
  std::vector<uint32_t> services;  // endpoints that are a service process each
  std::vector<ChannelPlan> channels;

  // Vcpus, services and HV_ROLE_HOST.
  std::vector<uint32_t> Endpoints() const;
};

// The PC that hv makes today: vcpu_svc, mmu_svc, ioapic_svc, timer_svc, COM1, power.
// REQUIRES: 1 <= cpus <= HV_MAX_VCPUS.
Topology PlanTopology(uint32_t cpus);

// The process an endpoint lives in: hv_kernel's vCPUs share HV_ENDPOINT(HV_ROLE_KERNEL, 0).
uint32_t ProcessOf(uint32_t endpoint);

// The one of `services` whose process has that name. NotFound names those there are.
absl::StatusOr<uint32_t> ServiceNamed(const std::vector<uint32_t>& services,
                                      const std::string& name);

}  // namespace hv::hvd
