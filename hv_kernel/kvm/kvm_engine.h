// The kvm engine: guests run by Linux' KVM, which enters and leaves them and does nothing else.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "hv_kernel/engine.h"

namespace hv::kvm {

// /dev/kvm. Before the sandbox takes the file system away. FailedPrecondition: it cannot be opened;
// says why and what to do.
absl::StatusOr<UniqueFd> OpenDevice();

// A machine on `device`, which may be closed afterwards. FailedPrecondition: this KVM lacks what
// the engine needs; says what.
absl::StatusOr<std::unique_ptr<Engine>> CreateKvmEngine(const UniqueFd& device);

// The requests of ioctl(2) that the engine makes once its vCPUs exist, for a system-call filter.
std::span<const uint64_t> RequestsAfterStart();

}  // namespace hv::kvm
