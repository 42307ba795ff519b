// What the host's CPU is not vulnerable to.
#pragma once

#include <cstdint>
#include <string>

namespace hv::hvd {

// In bits of IA32_ARCH_CAPABILITIES (Intel SDM vol. 4, MSR 10AH), by what the host's kernel says in
// that folder. What it does not say, or has to mitigate, is not set.
uint64_t HostImmunities(const std::string& folder = "/sys/devices/system/cpu/vulnerabilities");

}  // namespace hv::hvd
