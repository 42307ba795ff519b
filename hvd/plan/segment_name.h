// The names segments carry in /proc/PID/maps.
#pragma once

#include <cstdint>
#include <string>

#include "abi/version.h"

namespace hv::hvd {

// "hv:state:timer_svc", "hv:channel:vcpu_svc:ioapic_svc", "hv:guest-ram".
std::string SegmentName(hv_segment kind, uint32_t endpoint, uint32_t peer);

}  // namespace hv::hvd
