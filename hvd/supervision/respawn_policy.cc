#include "hvd/supervision/respawn_policy.h"

#include <algorithm>

namespace hv::hvd {

std::optional<std::chrono::milliseconds> RespawnPolicy::OnDeath(bool did_something) {
  fruitless_ = did_something ? 0 : fruitless_ + 1;
  if (fruitless_ > kTries) return std::nullopt;
  if (fruitless_ <= kImmediateTries) return std::chrono::milliseconds(0);
  return std::min(kLongestDelay, kFirstDelay * (1 << (fruitless_ - kImmediateTries - 1)));
}

}  // namespace hv::hvd
