// The part of the router on the path of an exit.
#include <algorithm>

#include "abi/endpoint.h"
#include "hv_kernel/router.h"

namespace hv {
namespace {

constexpr Destination kHoleDestination{.endpoint = HV_ENDPOINT(HV_ROLE_MMU, 0)};

}  // namespace

Destination Router::Find(hv_space space, uint64_t address) const {
  const hv_route* route = nullptr;
  if (space == HV_SPACE_PORT) {
    const uint8_t index = address <= 0xffff ? port_index_[address] : kHole;
    if (index != kHole) route = &routes_[index];
  } else {
    const auto begin = routes_.begin() + static_cast<ptrdiff_t>(port_routes_);
    const auto after = std::upper_bound(begin, routes_.end(), address,
                                        [](uint64_t a, const hv_route& r) { return a < r.first; });
    if (after != begin && address <= std::prev(after)->last) route = &*std::prev(after);
  }
  if (route == nullptr) return kHoleDestination;
  return {.endpoint = route->endpoint,
          .posted_writes = (route->flags & HV_ROUTE_POSTED_WRITES) != 0,
          .counted_writes = (route->flags & HV_ROUTE_COUNTED_WRITES) != 0};
}

}  // namespace hv
