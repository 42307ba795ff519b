// Whether memory slots are such as an engine can map.
#pragma once

#include <cstddef>
#include <span>

#include "abi/route_table.h"
#include "absl/status/status.h"

namespace hv {

// InvalidArgument: there are too many, or one is not of whole pages inside the RAM segment of
// `ram_bytes`; says which. That they do not overlap is the router's to check.
absl::Status CheckSlots(std::span<const hv_memory_slot> slots, size_t ram_bytes);

}  // namespace hv
