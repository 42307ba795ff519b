// Stack pointers out of the current task-state segment (Intel SDM vol. 3, figures 7-2 and 7-11).
#pragma once

#include <cstdint>

#include "hv_kernel/soft/cpu.h"

namespace hv::soft {

// RSP of privilege `level`, or of interrupt stack table entry `ist` unless that is 0. `external` is
// the EXT bit of the error codes. Long mode.
Outcome ReadLongStack(Cpu& cpu, uint8_t ist, uint32_t level, uint32_t external, uint64_t& rsp);

// SS and ESP of an inner privilege level, with the checks of SDM vol. 3, 6.12.1. Protected mode.
Outcome LoadInnerStack(Cpu& cpu, uint32_t level, uint32_t external, hv_segment_state& ss,
                       uint64_t& esp);

}  // namespace hv::soft
