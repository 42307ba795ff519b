// The segments with one bit a page (abi/route_table.h) as mmu_svc uses them: reading and clearing
// bits that others are setting meanwhile.
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
// Relaxed throughout. Of the dirty log: between clearing bits and looking at the pages, hv_kernel
// is told to begin a new round (KernelControl.ReloadMap), which orders everything before it; a bit
// set before that is of a page already reported. Of written pages: the lock of WriteWatch orders.
class PageLog {
 public:
  // InvalidArgument: the segment has no bit for each of `pages` pages.
  static absl::StatusOr<PageLog> Open(std::span<std::byte> segment, uint64_t pages);

  uint64_t pages() const { return pages_; }

  // Bit i % 8 of byte i / 8 is page first + i; bits past `count` are 0.
  std::string Read(uint64_t first, uint64_t count) const;
  // Clears the bits that are set in `bitmap`, laid out as Read's. Bits past the last page are
  // ignored.
  void Clear(uint64_t first, absl::string_view bitmap);
  void ClearAll(uint64_t first, uint64_t count);
  // As whoever writes the page does. Past the last page: nothing.
  void Mark(uint64_t page);

 private:
  PageLog(uint64_t* words, uint64_t pages) : words_(words), pages_(pages) {}

  uint64_t Load(uint64_t page) const;
  void ClearWord(uint64_t page, uint64_t bits);

  uint64_t* words_;
  uint64_t pages_;
};

// What mmu_svc notes of the pages of a machine.
struct PageLogs {
  PageLog dirty;    // set by the engine
  PageLog written;  // of pages that are watched, set as the host's kernel tells of writes
};

}  // namespace hv::mmu
