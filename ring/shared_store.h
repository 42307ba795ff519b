// Every store that the runtime makes to shared memory, in one place, so that a test can stop the
// world after any of them.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>

#include "abi/cell.h"

namespace hv::ring {

// The ordinary policy: the store and nothing else. A test's policy derives its own After().
struct DirectStores {
  void After() {}
};

// Stores a word others may be reading.
template <typename T, typename Stores>
void StoreRelaxed(T& word, T value, Stores& stores) {
  std::atomic_ref<T>(word).store(value, std::memory_order_relaxed);
  stores.After();
}
template <typename T, typename Stores>
void StoreRelease(T& word, T value, Stores& stores) {
  std::atomic_ref<T>(word).store(value, std::memory_order_release);
  stores.After();
}

template <typename T>
T LoadRelaxed(const T& word) {
  return std::atomic_ref<T>(const_cast<T&>(word)).load(std::memory_order_relaxed);
}
template <typename T>
T LoadAcquire(const T& word) {
  return std::atomic_ref<T>(const_cast<T&>(word)).load(std::memory_order_acquire);
}

inline constexpr size_t kCellWords = HV_CELL_BYTES / sizeof(uint64_t);

// A cell's words as a plain array. Cells are 8-byte aligned wherever they lie.
inline uint64_t* Words(hv_cell& cell) { return reinterpret_cast<uint64_t*>(&cell); }
inline const uint64_t* Words(const hv_cell& cell) {
  return reinterpret_cast<const uint64_t*>(&cell);
}

}  // namespace hv::ring
