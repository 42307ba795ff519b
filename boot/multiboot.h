// The Multiboot start protocol, version 1 (Multiboot specification 0.6.96, 3.2 and 3.3): modules
// and multiboot_info with memory sizes, memory map, command line and the loader's name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "abi/vcpu_state.h"
#include "absl/status/statusor.h"
#include "boot/elf_image.h"
#include "boot/guest_memory.h"
#include "boot/multiboot_header.h"

namespace hv::boot {

struct Module {
  std::span<const std::byte> bytes;
  std::string command_line;
};

// Copies the image to where the header's address fields say or, without them, its ELF segments.
// InvalidArgument: no ELF where one is needed, or the image does not fit the memory.
absl::StatusOr<LoadedElf> LoadMultiboot(std::span<const std::byte> file,
                                        const MultibootHeader& header, const GuestMemory& memory);

struct MultibootBoot {
  uint32_t entry = 0;
  uint64_t kernel_end =
      0;  // first byte after the kernel's memory; modules go from the next page on
  std::string command_line;
  std::vector<Module> modules;
};

// Writes everything and returns the boot CPU's state. InvalidArgument: modules or command lines too
// large; says how large and what fits.
absl::StatusOr<hv_vcpu_state> PrepareMultiboot(const MultibootBoot& boot,
                                               const GuestMemory& memory);

}  // namespace hv::boot
