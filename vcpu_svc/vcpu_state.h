// The state of vcpu_svc: what lies in its state segment.
#pragma once

#include <cstdint>
#include <type_traits>

#include "abi/endpoint.h"
#include "vcpu_svc/local_apic.h"
#include "vcpu_svc/msr_table.h"

namespace hv::vcpu {

// Plain data: one for each vCPU.
struct VcpuState {
  LocalApicState apic;
  uint64_t msr[kStoredMsrs];
  uint64_t published;         // the word in the vCPU page
  uint32_t taken_generation;  // of what the vCPU took last, as far as known here
  uint8_t nmi_pending;
  uint8_t init_pending;
  uint8_t sipi_pending;
  uint8_t sipi_vector;
  uint8_t waits_for_sipi;
  // Told to other services as soon as there is room (owed_messages.h).
  uint8_t deadline_owed;
  // An MSR write that is answered once mmu_svc has stored what it asked for, and its tag.
  uint8_t store_awaited;
  uint8_t reserved;
  uint32_t store_tag;
  uint64_t tsc_adjust;  // IA32_TSC_ADJUST: how far the guest has moved its TSC
  uint32_t tsc_moves;   // how often, modulo 2^32
  uint32_t reserved2;
};
static_assert(std::has_unique_object_representations_v<VcpuState>);

struct MachineState {
  uint32_t intr_asserted;  // the 8259 pair's output
  uint32_t intr_vector;
  uint32_t intr_taken;  // vectors of the 8259 pair that vCPUs took, modulo 2^32
  uint32_t ignored_smis;
  uint32_t round_robin;  // lowest-priority delivery starts its search here
  uint32_t reserved;
  VcpuState vcpu[];  // as many as the machine has
};

// A set of vCPUs, one bit each.
using VcpuSet = uint64_t;
static_assert(HV_MAX_VCPUS <= 64);

}  // namespace hv::vcpu
