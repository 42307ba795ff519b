// Manifests: what each process of a machine is told when it attaches.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "hvd/host/machine_clock_base.h"
#include "hvd/plan/guest_paging.h"
#include "hvd/plan/segment_set.h"
#include "proto/hv/v1/manifest.pb.h"

namespace hv::hvd {

// What all processes of one machine have in common, and what each is configured with.
struct MachinePlan {
  std::string name;
  uint32_t cpus = 1;
  uint64_t memory_bytes = 0;
  std::string engine;      // resolved: never "auto"
  std::string boot_state;  // struct hv_vcpu_state
  uint64_t translation_cache_bytes = 0;
  bool debug_exit = false;
  bool standby = true;  // each service has a process that waits to take over
  // How long a service with work to do may make no turn before it is replaced.
  std::chrono::milliseconds hang_timeout{50};
  ClockBase clock;
  uint64_t host_immunities = 0;  // hvd/host/immunities.h
  hv::v1::MmuServiceConfig memory_map;
  bool try_demand_paging = false;  // hv_kernel is to make a userfaultfd
  GuestPaging paging;              // what came of it; set before mmu_svc is attached
};

// A manifest and the descriptors it names, which stay the segment set's and `control`'s owner's.
struct PreparedManifest {
  hv::v1::Manifest manifest;
  std::vector<int> fds;
};

// For the process of `endpoint` under `epoch`; `control` is its end of the control connection.
PreparedManifest PrepareManifest(const MachinePlan& plan, const SegmentSet& segments,
                                 uint32_t endpoint, uint32_t epoch, int control);

}  // namespace hv::hvd
