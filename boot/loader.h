// From kernel file to a machine that can start: finds out what the file is and how it is entered.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "abi/vcpu_state.h"
#include "absl/status/statusor.h"
#include "boot/guest_memory.h"

namespace hv::boot {

struct LoadRequest {
  std::span<const std::byte> kernel;
  std::span<const std::byte> initrd;
  std::string command_line;
  uint32_t cpus = 1;
};

struct LoadResult {
  hv_vcpu_state state;
  const char* protocol;  // "linux64"
};

// Loads a bzImage (unpacking its payload here rather than in the guest) or an ELF64 vmlinux, by the
// 64-bit Linux boot protocol. InvalidArgument: says what is wrong with which file and what to do.
absl::StatusOr<LoadResult> LoadKernel(const LoadRequest& request, const GuestMemory& memory);

}  // namespace hv::boot
