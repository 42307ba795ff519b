// Finds who answers an access: hv_kernel's own validated copy of the table mmu_svc publishes.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "abi/route_table.h"
#include "absl/status/status.h"

namespace hv {

// Where an access goes and what becomes of a write (abi/route_table.h).
struct Destination {
  uint32_t endpoint = 0;  // abi/endpoint.h
  bool posted_writes = false;
  bool counted_writes = false;
};

// Copied once, validated, then used by every vCPU without a lock: a Router is immutable after Load.
class Router {
 public:
  // Takes a consistent copy of a table that mmu_svc may be rewriting (sequence lock,
  // abi/route_table.h). Unavailable: nothing published yet, or it kept changing. InvalidArgument:
  // the table breaks its own rules; names the entry.
  absl::Status Load(const hv_route_table& shared);

  // On the path of an exit: general registers alone (VcpuEngine).
  // Whatever no route names is a hole, and holes belong to mmu_svc.
  Destination Find(hv_space space, uint64_t address) const;

  uint32_t generation() const { return generation_; }
  const std::vector<hv_route>& routes() const { return routes_; }
  const std::vector<hv_memory_slot>& memory() const { return memory_; }

 private:
  absl::Status Adopt(const hv_route_table& copy);

  static constexpr uint8_t kHole = 0xff;
  static_assert(HV_MAX_ROUTES <= 256);

  uint32_t generation_ = 0;
  std::vector<hv_route> routes_;  // ports, then memory; sorted by first
  size_t port_routes_ = 0;
  std::array<uint8_t, 65536> port_index_{};  // index into routes_, or kHole
  std::vector<hv_memory_slot> memory_;
};

}  // namespace hv
