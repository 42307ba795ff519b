// What the test program does for its test when it is sent HV_KIND_READ: the address says what,
// `data` is the process to attack, the answer's data is the result.
#pragma once

#include <cstdint>

namespace hv::service {

// Addresses below SandboxAttempts().size(): that attempt; the answer is what it was refused with.
// Number of open descriptors of files.
inline constexpr uint64_t kProbeOpenFiles = 0x1000;

}  // namespace hv::service
