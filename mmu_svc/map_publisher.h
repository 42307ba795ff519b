// Writing the guest-physical map into the shared route table, under its sequence lock.
#pragma once

#include <atomic>
#include <cstdint>

#include "abi/route_table.h"
#include "mmu_svc/guest_map.h"
#include "ring/shared_store.h"

namespace hv::mmu {

// Stores an array word by word: readers may be copying it, and find out by the generation.
template <typename T, typename Stores>
void StoreArray(T* to, const T* from, uint32_t count, Stores& stores) {
  static_assert(sizeof(T) % sizeof(uint64_t) == 0 && alignof(T) == alignof(uint64_t));
  auto* words = reinterpret_cast<uint64_t*>(to);
  const auto* values = reinterpret_cast<const uint64_t*>(from);
  for (size_t i = 0; i < count * sizeof(T) / sizeof(uint64_t); ++i) {
    ring::StoreRelaxed(words[i], values[i], stores);
  }
}

// Makes `map` what readers of `table` see, as `generation`, unless that is what they see already.
// May be cut short after any store and be done again by a successor: until the last one the
// generation is odd, and readers wait. `Stores` sees every store: ring::DirectStores, or a test's.
// REQUIRES: `generation` is even and not 0; CheckMap found nothing wrong with `map`.
template <typename Stores>
void PublishMap(const GuestMap& map, uint32_t generation, hv_route_table& table, Stores& stores) {
  if (ring::LoadRelaxed(table.generation) == generation) return;
  ring::StoreRelaxed(table.generation, generation - 1, stores);
  // Keeps the table's stores after the odd generation; pairs with the fence in Router::Load.
  std::atomic_thread_fence(std::memory_order_release);
  ring::StoreRelaxed(table.route_count, map.route_count, stores);
  ring::StoreRelaxed(table.slot_count, map.slot_count, stores);
  StoreArray(table.routes, map.routes, map.route_count, stores);
  StoreArray(table.slots, map.slots, map.slot_count, stores);
  // Pairs with the acquire load in Router::Load.
  ring::StoreRelease(table.generation, generation, stores);
}

}  // namespace hv::mmu
