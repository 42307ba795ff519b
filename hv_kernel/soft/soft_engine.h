// The soft engine: runs guests by translating their code, needs no privilege.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "hv_kernel/engine.h"
#include "hv_kernel/soft/soft_options.h"

namespace hv::soft {

// FailedPrecondition: this host's CPU lacks what translated code needs; says what.
absl::StatusOr<std::unique_ptr<Engine>> CreateSoftEngine(const SoftOptions& options);

}  // namespace hv::soft
