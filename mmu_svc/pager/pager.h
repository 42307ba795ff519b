// Gives guest RAM its pages when hv_kernel's threads first touch them, and lets them write to pages
// that are watched once that is noted.
#pragma once

#include <cstdint>

#include "abi/pager_page.h"
#include "mmu_svc/pager/fault_event.h"
#include "mmu_svc/pager/read_ahead.h"
#include "mmu_svc/pager/userfault.h"
#include "mmu_svc/pager/write_watch.h"

namespace hv::mmu {

// Which pages are there the host's kernel knows, so nothing is committed: whatever a process leaves
// undone comes again for its successor. One thread.
class Pager {
 public:
  // All outlive it; `page` is its own to write.
  Pager(Userfault& userfault, const Window& window, ReadAhead read_ahead, WriteWatch& watch,
        hv_pager_page& page)
      : userfault_(userfault),
        window_(window),
        read_ahead_(std::move(read_ahead)),
        watch_(watch),
        page_(page) {}

  // First: has every thread that waits try again, so that faults which a predecessor had read and
  // not resolved are told anew.
  void TakeOver();
  // Waits for faults and resolves them. False: there will be no more, hv_kernel is gone.
  bool ServeOnce();

 private:
  enum class Outcome { kDone, kMemoryGone };

  // In turn from before events are read until each is resolved (abi/pager_page.h).
  void EnterTurn();
  void LeaveTurn();
  Outcome Resolve(const uffd_msg& event);
  Outcome ResolveMissing(uint64_t offset);
  Outcome ResolveWrite(uint64_t offset);
  // Has the thread try again, which tells of its fault anew if need be.
  Outcome TryAgain(uint64_t offset);
  // How much was given of the extent, up to a page that is there; `error`: why not the first one.
  Done Give(Extent extent);
  void Count(uint64_t& counter, uint64_t by = 1);

  Userfault& userfault_;
  const Window window_;
  ReadAhead read_ahead_;
  WriteWatch& watch_;
  hv_pager_page& page_;
};

}  // namespace hv::mmu
