// The BIOS data area and the extended one, which firmware leaves below 1 MiB and kernels that came
// from a BIOS look into: how much base memory there is, and where the extended area lies, into
// which nothing else may be put.
#pragma once

#include "boot/guest_memory.h"

namespace hv::boot {

void WriteBiosData(const GuestMemory& memory);

}  // namespace hv::boot
