// The names of roles, endpoints and refusals, as processes carry them and people read them.
#pragma once

#include <cstdint>
#include <string>

namespace hv::service {

// Process name of a role: "hv_kernel", "vcpu_svc", ... "hvd".
const char* RoleName(uint32_t role);
// Why a cell was refused, enum hv_refusal: "stamp", "epoch", ... "answer".
const char* RefusalName(uint32_t refusal);
// As RoleName, with the instance where it is not 0 and "vCPU n" for those of hv_kernel.
std::string EndpointName(uint32_t endpoint);

}  // namespace hv::service
