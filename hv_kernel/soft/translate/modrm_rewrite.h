// The instruction in hand with its memory operand elsewhere, by new bytes for what of the encoding
// says where it is (SDM vol. 2, 2.1 and 2.2.1): several times faster than encoding it anew.
#pragma once

#include "hv_kernel/soft/translate/emission.h"

namespace hv::soft {

// Emits it with its operand at e.Accessed(). False: not an instruction for this, as its
// registers are not all in their namesakes or its encoding is VEX's.
bool RewriteModrm(Emission& e);

}  // namespace hv::soft
