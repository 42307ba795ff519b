// Re-encoding: the guest's instruction again, with its memory operand at a host address and its
// registers where they live on the host. Semantics and flags are the host CPU's own.
#pragma once

#include "hv_kernel/soft/translate/emission.h"

namespace hv::soft {

// Emits the instruction in hand. Its memory operand is at Accessed(), where the caller has put it.
// False when it has no such form; nothing usable was emitted then.
bool ReEncode(Emission& e);

// The same for an instruction without memory operand whose bytes mean the same on the host.
bool CanCopy(const Emission& e);

}  // namespace hv::soft
