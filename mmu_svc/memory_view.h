// The map and walks of page tables as the control plane shows them.
#pragma once

#include <cstdint>

#include "mmu_svc/mmu_core.h"
#include "mmu_svc/page_walker.h"
#include "proto/hv/v1/memory.pb.h"

namespace hv::mmu {

void ShowMap(const State& state, hv::v1::GuestMemory& shown);
void ShowWalk(uint64_t linear, PagingMode mode, const Walk& walk, const GuestMap& map,
              hv::v1::Translation& shown);

}  // namespace hv::mmu
