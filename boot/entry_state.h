// The boot CPU's first state, by the mode a kernel is entered in. What boot protocols leave open is
// as after power-on, but that the x87 and SSE control registers have the values of FNINIT.
#pragma once

#include <cstdint>

#include "abi/vcpu_state.h"
#include "boot/guest_memory.h"

namespace hv::boot {

// 64-bit mode with the first 4 GiB mapped one to one; writes page tables and a GDT to low memory.
hv_vcpu_state EnterLongMode(uint64_t entry, const GuestMemory& memory);

// 32-bit protected mode without paging, flat segments, interrupts off: what PVH and Multiboot ask
// for. Writes a GDT that holds the very segments, for kernels that load them before their own.
hv_vcpu_state EnterProtectedMode(uint32_t entry, const GuestMemory& memory);

}  // namespace hv::boot
