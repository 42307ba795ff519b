// What the vCPUs of one machine share: KVM's virtual machine and the map of its memory.
#pragma once

#include <linux/kvm.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/unique_fd.h"
#include "hv_kernel/kvm/capabilities.h"
#include "hv_kernel/kvm/late_writes.h"
#include "hv_kernel/kvm/memory_slots.h"
#include "hv_kernel/kvm/write_zones.h"

namespace hv::kvm {

// The map changes only while no vCPU runs.
struct Vm {
  UniqueFd fd;
  Capabilities capabilities;
  uint32_t dirty_ring_bytes = 0;
  std::vector<kvm_cpuid_entry2> supported_cpuid;
  std::vector<uint32_t> msrs;  // KVM_GET_MSR_INDEX_LIST
  WriteZones write_zones;
  LateWrites late_writes;
  MemorySlots slots;
  std::span<std::byte> ram;
  std::atomic<uint64_t>* dirty_log = nullptr;
  bool logs_writes = false;
  // Times that a dirty ring may have lost pages (DirtyRing::Collect, MakeRoom). After one, all that
  // is logged counts as written whenever a vCPU leaves.
  std::atomic<uint64_t> ring_overflows{0};
};

}  // namespace hv::kvm
