// Whether a service has taken all that a dead hv_kernel had sent it.
#pragma once

#include <cstdint>
#include <vector>

#include "hvd/plan/segment_set.h"

namespace hv::hvd {

// True when `service` has acknowledged every message the `vcpus` had published to it. A service
// acknowledges, at the latest, before it sleeps, and publishes what a message made it send before
// it acknowledges. REQUIRES: hv_kernel is dead, so that nothing is added.
bool HasTakenAll(const SegmentSet& segments, const std::vector<uint32_t>& vcpus, uint32_t service);

}  // namespace hv::hvd
