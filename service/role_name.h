// The names of roles and endpoints, as processes carry them and people read them.
#pragma once

#include <cstdint>
#include <string>

namespace hv::service {

// Process name of a role: "hv_kernel", "vcpu_svc", ... "hvd".
const char* RoleName(uint32_t role);
// As RoleName, with the instance where it is not 0 and "vCPU n" for those of hv_kernel.
std::string EndpointName(uint32_t endpoint);

}  // namespace hv::service
