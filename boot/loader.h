// From kernel file to a machine that can start: finds out what the file is and how it is entered.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "abi/vcpu_state.h"
#include "absl/status/statusor.h"
#include "boot/guest_memory.h"
#include "boot/multiboot.h"

namespace hv::boot {

inline constexpr uint32_t kMostCpus = 255;  // 8-bit local APIC ids; 255 is every one of them

struct LoadRequest {
  std::span<const std::byte> kernel;
  std::span<const std::byte> initrd;
  std::string command_line;
  std::vector<Module> modules;
  uint32_t cpus = 1;
};

struct LoadResult {
  hv_vcpu_state state;
  const char* protocol;  // "linux64", "multiboot", "pvh"
};

// What a kernel is entered by, the first that it offers:
//   bzImage: its payload is unpacked here rather than in the guest; 64-bit Linux boot protocol.
//   Multiboot header in the first 8 KiB: Multiboot 1, by its address fields or as ELF32 or ELF64.
//   ELF64 with the note XEN_ELFNOTE_PHYS32_ENTRY: PVH. A vmlinux has it (CONFIG_PVH).
//   ELF64: 64-bit Linux boot protocol with boot_params of our own, a vmlinux without PVH.
// Modules are Multiboot's, an initrd is everybody else's. InvalidArgument: says what is wrong with
// which file, the value, and what to do.
absl::StatusOr<LoadResult> LoadKernel(const LoadRequest& request, const GuestMemory& memory);

}  // namespace hv::boot
