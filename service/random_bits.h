// Random numbers that are the same each time: for faults and campaigns that can be replayed.
#pragma once

#include <cstdint>

namespace hv::service {

// 64 evenly distributed bits, number `index` of the sequence that `seed` names (SplitMix64).
constexpr uint64_t RandomBits(uint64_t seed, uint64_t index) {
  uint64_t bits = seed + (index + 1) * 0x9e3779b97f4a7c15;
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111eb;
  return bits ^ (bits >> 31);
}

}  // namespace hv::service
