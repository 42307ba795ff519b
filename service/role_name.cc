#include "service/role_name.h"

#include "abi/endpoint.h"
#include "abi/state.h"
#include "absl/strings/str_cat.h"

namespace hv::service {

const char* RoleName(uint32_t role) {
  switch (role) {
    case HV_ROLE_KERNEL: return "hv_kernel";
    case HV_ROLE_VCPU: return "vcpu_svc";
    case HV_ROLE_MMU: return "mmu_svc";
    case HV_ROLE_IOAPIC: return "ioapic_svc";
    case HV_ROLE_TIMER: return "timer_svc";
    case HV_ROLE_SERIAL: return "serial_svc";
    case HV_ROLE_POWER: return "power_svc";
    case HV_ROLE_HOST: return "hvd";
    default: return "unknown";
  }
}

const char* RefusalName(uint32_t refusal) {
  switch (refusal) {
    case HV_REFUSAL_STAMP: return "stamp";
    case HV_REFUSAL_EPOCH: return "epoch";
    case HV_REFUSAL_KIND: return "kind";
    case HV_REFUSAL_CONTENT: return "content";
    case HV_REFUSAL_RECIPIENT: return "recipient";
    case HV_REFUSAL_ANSWER: return "answer";
    default: return "unknown";
  }
}

std::string EndpointName(uint32_t endpoint) {
  const uint32_t role = HV_ENDPOINT_ROLE(endpoint);
  const uint32_t instance = HV_ENDPOINT_INSTANCE(endpoint);
  if (role == HV_ROLE_KERNEL) return absl::StrCat("hv_kernel vCPU ", instance);
  return instance == 0 ? RoleName(role) : absl::StrCat(RoleName(role), " ", instance);
}

}  // namespace hv::service
