#include "service/admission.h"

#include "abi/endpoint.h"
#include "abi/message.h"

namespace hv::service {
namespace {

bool IsDevice(uint32_t role) { return role == HV_ROLE_SERIAL || role == HV_ROLE_POWER; }

bool IsService(uint32_t role) { return role >= HV_ROLE_VCPU && role <= HV_ROLE_POWER; }

}  // namespace

bool MayReceive(uint32_t from, uint32_t to, uint16_t kind) {
  switch (kind) {
    case HV_KIND_READ:
    case HV_KIND_WRITE:
    case HV_KIND_WRITE_POSTED: return from == HV_ROLE_KERNEL && IsService(to);
    case HV_KIND_READ_DONE:
    case HV_KIND_WRITE_DONE: return IsService(from) && to == HV_ROLE_KERNEL;
    case HV_KIND_MSR_READ:
    case HV_KIND_MSR_WRITE:
    case HV_KIND_CR8_WRITE:
    case HV_KIND_CR8_READ:
    case HV_KIND_INJECTED: return from == HV_ROLE_KERNEL && to == HV_ROLE_VCPU;
    case HV_KIND_MSR_DONE: return from == HV_ROLE_VCPU && to == HV_ROLE_KERNEL;
    case HV_KIND_LINE:
    case HV_KIND_GSI_ROUTE:
      return (from == HV_ROLE_TIMER || IsDevice(from)) && to == HV_ROLE_IOAPIC;
    case HV_KIND_INTERRUPT:
      return (from == HV_ROLE_IOAPIC || from == HV_ROLE_TIMER || IsDevice(from)) &&
             to == HV_ROLE_VCPU;
    case HV_KIND_EOI: return from == HV_ROLE_VCPU && to == HV_ROLE_IOAPIC;
    case HV_KIND_INTA: return from == HV_ROLE_KERNEL && to == HV_ROLE_IOAPIC;
    case HV_KIND_INTR: return from == HV_ROLE_IOAPIC && to == HV_ROLE_VCPU;
    case HV_KIND_DEADLINE_SET: return from == HV_ROLE_VCPU && to == HV_ROLE_TIMER;
    case HV_KIND_DEADLINE_EXPIRED: return from == HV_ROLE_TIMER && to == HV_ROLE_VCPU;
    case HV_KIND_STORE: return from == HV_ROLE_VCPU && to == HV_ROLE_MMU;
    case HV_KIND_STORE_DONE: return from == HV_ROLE_MMU && to == HV_ROLE_VCPU;
    case HV_KIND_CONSOLE_OUTPUT: return from == HV_ROLE_SERIAL && to == HV_ROLE_HOST;
    case HV_KIND_CONSOLE_INPUT: return from == HV_ROLE_HOST && to == HV_ROLE_SERIAL;
    case HV_KIND_CONSOLE_CREDIT:
      return (from == HV_ROLE_HOST && to == HV_ROLE_SERIAL) ||
             (from == HV_ROLE_SERIAL && to == HV_ROLE_HOST);
    case HV_KIND_POWER_BUTTON: return from == HV_ROLE_HOST && to == HV_ROLE_POWER;
    default: return false;
  }
}

}  // namespace hv::service
