// The soft engine: runs guests by translating their code, needs no privilege.
#pragma once

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "hv_kernel/engine.h"

namespace hv::soft {

struct SoftOptions {
  // Of translated code for each vCPU, at least 1 MiB; when it is full the oldest goes.
  size_t code_bytes = size_t{64} << 20;
};

// FailedPrecondition: this host's CPU lacks what translated code needs; says what.
absl::StatusOr<std::unique_ptr<Engine>> CreateSoftEngine(const SoftOptions& options);

}  // namespace hv::soft
