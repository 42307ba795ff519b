// Where the tested code and its data lie: at the same linear addresses in this process, for the
// host CPU, and in the guest, for the engine, so that registers with addresses in them compare
// equal.
//
//   kDataFirst          + kDataPages * 4 KiB                    + 4 KiB
//   +--------------------------+---------------------------+--------------
//   | readable and writable    | readable only             | nothing
//   +--------------------------+---------------------------+--------------
// Nothing is mapped before kDataFirst either. All addresses fit an unsigned 31-bit displacement.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hv::soft::differential {

inline constexpr uint64_t kPage = 4096;
inline constexpr uint64_t kDataFirst = 0x20000000;
inline constexpr uint64_t kDataPages = 4;
inline constexpr size_t kDataBytes = kDataPages * kPage;
inline constexpr uint64_t kReadOnlyPage = kDataFirst + kDataBytes;
inline constexpr size_t kArenaBytes = kDataBytes + kPage;

inline constexpr uint64_t kCodeFirst = 0x30000000;
inline constexpr size_t kCodeBytes = 4u << 20;

// Base of GS. Kept in the middle of the data, so that displacements of both signs hit it.
inline constexpr uint64_t kGsBase = kDataFirst + kDataBytes / 2;

}  // namespace hv::soft::differential
