// What the engine counts of itself, summed over vCPUs.
#pragma once

#include <span>
#include <vector>

#include "hv_kernel/engine.h"
#include "hv_kernel/soft/soft_vcpu.h"

namespace hv::soft {

// Translation: blocks, translated_instructions, links, invalidated (blocks), evicted (ones: the
// cache was full), flushes (of all), translating_ticks (of the TSC); code_bytes in use, guest_bytes
// they were made from, and metadata_bytes beside them. Slow paths: tlb_misses, slow_instructions,
// lookups (of code, by a walk of page tables), cores_given_away (by loops of PAUSE); left_X, how
// often generated code was left by reason X (translate/leave_site.h), and handler_X, of that for
// the handler of instruction X, the most frequent ones.
std::vector<Engine::Counter> CountersOf(std::span<SoftVcpu* const> vcpus);

}  // namespace hv::soft
