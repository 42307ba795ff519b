// Who may say what to whom: checked on every message before a core sees it.
#pragma once

#include <cstdint>

namespace hv::service {

// Whether an endpoint of role `from` may send `kind` to one of role `to` (abi/message.h, the
// comment on each kind).
bool MayReceive(uint32_t from, uint32_t to, uint16_t kind);

}  // namespace hv::service
