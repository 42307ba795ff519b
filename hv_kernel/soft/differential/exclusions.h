// Forms that are not compared with the host CPU, each with the reason.
#pragma once

#include <Zydis/Zydis.h>

#include <cstddef>
#include <span>
#include <vector>

#include "hv_kernel/soft/differential/form.h"

namespace hv::soft::differential {

struct Exclusion {
  const char* reason;
  std::vector<ZydisMnemonic> mnemonics;
};

std::span<const Exclusion> Exclusions();

// Null when the form is to be compared. Encodings that AllForms() does not try at all: EVEX and
// MVEX (the engine masks AVX-512), XOP and 3DNow! (masked; current CPUs have dropped them).
const char* WhyExcluded(const Form& form);

}  // namespace hv::soft::differential
