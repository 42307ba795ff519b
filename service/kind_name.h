// The names of message kinds, as people read and type them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace hv::service {

// As in enum hv_kind (abi/message.h) without HV_KIND_: "READ". "kind 99" for what has no name.
std::string KindName(uint16_t kind);
// nullopt: there is none of that name. NONE is none.
std::optional<uint16_t> KindNamed(absl::string_view name);

}  // namespace hv::service
