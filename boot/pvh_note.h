// The note by which an ELF kernel says that it can be entered by the PVH protocol: the Xen note
// XEN_ELFNOTE_PHYS32_ENTRY (Xen, docs/misc/pvh.pandoc; xen/include/public/elfnote.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "absl/status/statusor.h"

namespace hv::boot {

// The physical address of the 32-bit entry; nullopt: no such note. InvalidArgument: not a readable
// ELF, or the note's value is no 32-bit address.
absl::StatusOr<std::optional<uint32_t>> FindPvhEntry(std::span<const std::byte> file);

}  // namespace hv::boot
