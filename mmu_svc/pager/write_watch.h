// Which pages of guest RAM are watched for writes, which were written, and having the host's kernel
// tell of the next one.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "mmu_svc/page_log.h"
#include "mmu_svc/pager/fault_event.h"
#include "mmu_svc/pager/read_ahead.h"
#include "mmu_svc/pager/userfault.h"

namespace hv::mmu {

// Invariant: a page that is watched, and armed since it is, can be written through hv_kernel's
// mapping only if its bit in the log is set. So a bit is set before its page is let go, and cleared
// after its page is protected, under one lock: else a write that comes between would be forgotten.
//
// Thread-safe. The lock is held for one call on the userfaultfd at most, and for what is computed
// beside it: the pager waits for nobody who waits for something else.
class WriteWatch {
 public:
  // What became of a write that was told.
  struct Noted {
    bool watched = false;
    int error = 0;  // errno: why its page could not be let go
  };

  // `userfault` outlives it. `written` has a bit for each page of the window. `watched` as below.
  WriteWatch(Userfault& userfault, const Window& window, PageLog written,
             std::vector<Extent> watched)
      : userfault_(userfault), window_(window), written_(written), watched_(std::move(watched)) {}

  // From now on these are watched, disjoint and inside the window, and no others: as committed.
  // Pages that join are in force once they have been armed.
  void SetWatched(std::vector<Extent> watched);

  // Gives zeroed pages as Userfault does, in one call; those that are watched are write-protected.
  // Perhaps fewer than asked for.
  Done Give(Extent extent);
  // A write to the page at `offset` waits: sets the page's bit, if it is watched, and lets it go.
  Noted NoteWrite(uint64_t offset);

  // Protects what is in the extent, present or not. FailedPrecondition: nobody has registered guest
  // RAM for that, or the host pages it again. Unavailable: hv_kernel is gone.
  absl::Status Arm(Extent extent);
  // Lets whoever waits there go on; what cannot be let go is no longer protected.
  void Disarm(Extent extent);
  // Arms the pages whose bits are set in `bitmap`, laid out as PageLog::Read's and beginning with
  // page `first`, and clears their bits. An error leaves the rest as it is: those are read again.
  absl::Status Rearm(uint64_t first, absl::string_view bitmap);

 private:
  const Extent* Watching(uint64_t offset) const;

  Userfault& userfault_;
  const Window window_;
  std::mutex mutex_;
  PageLog written_;
  std::vector<Extent> watched_;
};

}  // namespace hv::mmu
