// `hvctl memory` and `hvctl inspect --translate`: a guest's memory, looked at and changed.
#pragma once

#include "absl/status/statusor.h"
#include "cli/hvd_client.h"
#include "cli/options.h"

namespace hv::cli {

// Both print their answer and return the exit status.
absl::StatusOr<int> ShowOrChangeMemory(HvdClient& client, const Options& options);
absl::StatusOr<int> Translate(HvdClient& client, const Options& options);

}  // namespace hv::cli
