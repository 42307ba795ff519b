// The 64-bit and the 32-bit Linux boot protocol (Linux Documentation/x86/boot.rst, "64-bit Boot
// Protocol", "32-bit Boot Protocol"): boot_params with command line, initrd and memory map.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "abi/vcpu_state.h"
#include "absl/status/statusor.h"
#include "boot/bzimage.h"
#include "boot/guest_memory.h"

namespace hv::boot {

struct LinuxBoot {
  const BzImage* image = nullptr;  // null for a bare vmlinux
  uint64_t entry = 0;              // physical address
  uint64_t kernel_end = 0;         // first byte after the kernel's memory
  std::string command_line;
  std::span<const std::byte> initrd;
  uint64_t rsdp = 0;  // physical address of the ACPI root pointer
};

// Writes everything and returns the boot CPU's state. InvalidArgument: command line or initrd too
// large; says how large and what fits.
absl::StatusOr<hv_vcpu_state> PrepareLinux64(const LinuxBoot& boot, const GuestMemory& memory);
absl::StatusOr<hv_vcpu_state> PrepareLinux32(const LinuxBoot& boot, const GuestMemory& memory);

}  // namespace hv::boot
