// What can be chosen of the soft engine.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hv::soft {

struct SoftOptions {
  // Of translated code for each vCPU, at least 1 MiB; when it is full the oldest goes.
  size_t code_bytes = size_t{64} << 20;
  // How often a loop comes around before it is translated as one. Until then each turn leaves
  // generated code, a tenth of a microsecond; its own translation takes 10 to 50 microseconds.
  uint8_t cold_turns = 32;
};

}  // namespace hv::soft
