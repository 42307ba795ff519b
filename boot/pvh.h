// The PVH start protocol (Xen, docs/misc/pvh.pandoc; xen/include/public/arch-x86/hvm/start_info.h,
// version 1): hvm_start_info with command line, initrd, memory map and ACPI root pointer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "abi/vcpu_state.h"
#include "absl/status/statusor.h"
#include "boot/guest_memory.h"

namespace hv::boot {

struct PvhBoot {
  uint32_t entry = 0;       // of the note
  uint64_t kernel_end = 0;  // first byte after the kernel's memory
  std::string command_line;
  std::span<const std::byte> initrd;  // becomes the only module
  uint64_t rsdp = 0;                  // physical address of the ACPI root pointer
};

// Writes everything and returns the boot CPU's state. InvalidArgument: command line or initrd too
// large; says how large and what fits.
absl::StatusOr<hv_vcpu_state> PreparePvh(const PvhBoot& boot, const GuestMemory& memory);

}  // namespace hv::boot
