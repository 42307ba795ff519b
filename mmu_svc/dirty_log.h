// The dirty log segment (abi/route_table.h) as mmu_svc uses it: reading and clearing bits that
// vCPUs are setting meanwhile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hv::mmu {

// Pages are numbered by their place in the RAM segment. Ranges must lie in it. Thread-safe.
//
// Relaxed throughout: between clearing bits and looking at the pages, hv_kernel is told to begin a
// new round (KernelControl.ReloadMap), which orders everything before it. A bit set before that is
// of a page already reported.
class DirtyLog {
 public:
  // InvalidArgument: the segment has no bit for each of `pages` pages.
  static absl::StatusOr<DirtyLog> Open(std::span<std::byte> segment, uint64_t pages);

  uint64_t pages() const { return pages_; }

  // Bit i % 8 of byte i / 8 is page first + i; bits past `count` are 0.
  std::string Read(uint64_t first, uint64_t count) const;
  // Clears the bits that are set in `bitmap`, laid out as Read's. Bits past the last page are
  // ignored.
  void Clear(uint64_t first, absl::string_view bitmap);
  void ClearAll(uint64_t first, uint64_t count);
  // As hv_kernel does for a page that a vCPU writes.
  void Mark(uint64_t page);

 private:
  DirtyLog(uint64_t* words, uint64_t pages) : words_(words), pages_(pages) {}

  uint64_t Load(uint64_t page) const;
  void ClearWord(uint64_t page, uint64_t bits);

  uint64_t* words_;
  uint64_t pages_;
};

}  // namespace hv::mmu
