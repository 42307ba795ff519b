// The userfaultfd(2) by which mmu_svc gives guest RAM its pages: made here, since one watches the
// memory of the process that made it.
#pragma once

#include <cstddef>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace hv {

// Whose touches of missing pages can be told.
enum class FaultsOf {
  kUserMode,  // of this process's own code; needs no privilege
  kEveryMode  // also of the host's kernel on its behalf, as KVM's
};

// From now on a thread that touches a page of `ram` that is not there waits until whoever holds the
// descriptor gives it, or until the last holder closes it. Where the host can tell of writes too,
// whoever holds it may register `ram` for that. REQUIRES: `ram` is all of one mapping of
// shared memory. PermissionDenied, Unimplemented: the host does not permit it, or has it not; says
// what would help. Before the sandbox: /dev/userfaultfd may be opened.
absl::StatusOr<UniqueFd> WatchMissingPages(std::span<std::byte> ram, FaultsOf whose);

// Tells hvd over the control socket what came of it (Userfault, manifest.proto).
absl::Status SendUserfault(int control, const absl::StatusOr<UniqueFd>& userfault,
                           std::span<const std::byte> ram);

}  // namespace hv
