// The pager as a thread of mmu_svc.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "mmu_svc/pager/write_watch.h"
#include "service/attachment.h"

namespace hv::mmu {

// Where the manifest has a userfaultfd: begins to serve it, to the end of the process. Faults are
// answered whatever the loop does, also while the service is quiesced. `watched`: what a
// predecessor has left watched. Returns the watch, which lives as long as the process; null: the
// manifest has no userfaultfd. InvalidArgument: it is none for that.
absl::StatusOr<WriteWatch*> StartPager(service::Attachment& attachment,
                                       std::vector<Extent> watched);

}  // namespace hv::mmu
