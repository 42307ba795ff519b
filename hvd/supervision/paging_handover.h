// How the userfaultfd of guest RAM comes from hv_kernel, which alone can make it, to hvd.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "hvd/plan/guest_paging.h"

namespace hv::hvd {

// What an hv_kernel told to page on demand has sent over its control socket (Userfault,
// manifest.proto); a host that does not permit it is no error but a notice. REQUIRES: it has
// answered on its control endpoint, before which it sends. Internal: it has sent nothing, or what
// cannot be.
absl::StatusOr<GuestPaging> ReceivePaging(int control, uint64_t memory_bytes);

}  // namespace hv::hvd
