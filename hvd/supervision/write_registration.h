// Guest RAM is registered for write protection at first use: it switches the host's fault-around
// off for these pages.
#pragma once

#include "abi/pager_page.h"
#include "absl/status/status.h"
#include "hvd/plan/guest_paging.h"

namespace hv::hvd {

// Whether writes to guest RAM can be watched as it is paged now. FailedPrecondition: says why not,
// and what would help.
absl::Status CheckWatchable(const GuestPaging& paging, const hv_pager_page& page);

// Has the host's kernel let mmu_svc write-protect guest RAM, beside giving its pages, to the end of
// this life. Idempotent. FailedPrecondition as above, and where the kernel cannot.
absl::Status RegisterForWrites(const GuestPaging& paging, const hv_pager_page& page);

}  // namespace hv::hvd
