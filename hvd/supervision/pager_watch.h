// Whether the pager of a machine's mmu_svc gets anywhere, seen from outside: hvd holds the
// userfaultfd too and looks at it without reading.
#pragma once

#include <chrono>
#include <cstdint>

#include "abi/pager_page.h"
#include "absl/status/status.h"
#include "hvd/host/process.h"
#include "hvd/plan/guest_paging.h"
#include "hvd/supervision/hang_detector.h"

namespace hv::hvd {

// Thread-compatible. `paging` and `page` outlive it.
class PagerWatch {
 public:
  PagerWatch(const GuestPaging& paging, hv_pager_page& page, std::chrono::nanoseconds timeout)
      : paging_(paging), page_(page), timeout_(timeout), detector_(timeout) {}

  // From now on another process serves.
  void OnAttached(HangDetector::TimePoint now);
  // To be called again and again. True: threads of hv_kernel wait for pages, and `process` has done
  // nothing about it for too long.
  bool Hangs(const Process& process, HangDetector::TimePoint now);
  // Nobody will serve any more: has the host give pages from now on, and protect none; whoever
  // waits goes on.
  absl::Status Release();

 private:
  bool HasWork(uint64_t turn) const;

  const GuestPaging& paging_;
  hv_pager_page& page_;
  const std::chrono::nanoseconds timeout_;
  HangDetector detector_;
  uint64_t turn_at_attach_ = 0;
  HangDetector::TimePoint attached_at_{};
};

}  // namespace hv::hvd
