// The writes that KVM keeps inside: late ones in its ring (api.rst, 4.116
// KVM_(UN)REGISTER_COALESCED_MMIO), counted ones in an eventfd (4.59 KVM_IOEVENTFD).
#pragma once

#include <linux/kvm.h>

#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include "abi/route_table.h"
#include "absl/status/status.h"
#include "base/unique_fd.h"
#include "hv_kernel/kvm/capabilities.h"

namespace hv::kvm {

class WriteZones {
 public:
  // KVM looks through a list of zones at each access. A map that wants more is not a PC's: what
  // comes later leaves the guest.
  static constexpr size_t kMostLate = 64, kMostCounted = 16;

  struct Plan {
    std::vector<kvm_coalesced_mmio_zone> late;
    std::vector<uint16_t> counted;  // ports
  };
  // Pure. What KVM can keep inside of what the routes let it.
  static Plan PlanFor(std::span<const hv_route> routes, const Capabilities& capabilities);

  // What holds the count. Once, before a plan with counted ports is applied.
  absl::Status MakeCounter();
  // Puts `plan` in force in the place of the last one; what is in both stays untouched. On an error
  // none is in force.
  absl::Status Apply(const Plan& plan, int vm_fd);
  bool any_late() const { return !in_force_.late.empty(); }

  // Any thread. Writes to counted ports so far.
  uint64_t CountedWrites() const;

 private:
  absl::Status Change(const Plan& plan, int vm_fd);
  absl::Status Count(int vm_fd, uint16_t port, uint32_t flags) const;

  Plan in_force_;
  UniqueFd counter_;
  mutable std::mutex mutex_;
  mutable uint64_t counted_ = 0;  // read from the eventfd, which that sets to 0
};

}  // namespace hv::kvm
