// The pager as a thread of mmu_svc.
#pragma once

#include "absl/status/status.h"
#include "service/attachment.h"

namespace hv::mmu {

// Where the manifest has a userfaultfd: begins to serve it, to the end of the process. Faults are
// answered whatever the loop does, also while the service is quiesced. InvalidArgument: the
// manifest is none for that.
absl::Status StartPager(service::Attachment& attachment);

}  // namespace hv::mmu
