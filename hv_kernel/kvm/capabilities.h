// What the engine needs of /dev/kvm, and whether it is there.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"

namespace hv::kvm {

struct Capabilities {
  size_t run_page_bytes = 0;      // KVM_GET_VCPU_MMAP_SIZE
  uint32_t dirty_ring_bytes = 0;  // the most a vCPU's dirty ring may have
  uint64_t quirks = 0;            // that can be switched off
  // Writes that KVM can keep inside. Where it cannot, they are exits.
  bool late_memory = false;    // KVM_CAP_COALESCED_MMIO
  bool late_ports = false;     // KVM_CAP_COALESCED_PIO, beside it
  bool counted_ports = false;  // KVM_CAP_IOEVENTFD and KVM_CAP_IOEVENTFD_ANY_LENGTH
};

// FailedPrecondition: /dev/kvm speaks another version of the interface, or lacks what the engine
// cannot do without; says what, and since which Linux it exists.
absl::StatusOr<Capabilities> CheckCapabilities(int device_fd);

}  // namespace hv::kvm
