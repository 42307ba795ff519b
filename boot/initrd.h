// Where an initial RAM disk goes.
#pragma once

#include <cstdint>
#include <span>

#include "absl/status/statusor.h"
#include "boot/guest_memory.h"

namespace hv::boot {

// Copies `initrd` as high as the kernel can reach, page aligned, above `kernel_end`; returns its
// physical address. `reach`: the last address it may take. InvalidArgument: too large, says how
// large and what fits.
absl::StatusOr<uint64_t> PlaceInitrd(std::span<const std::byte> initrd, uint64_t kernel_end,
                                     uint64_t reach, const GuestMemory& memory);

}  // namespace hv::boot
