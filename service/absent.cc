#include "service/absent.h"

namespace hv::service {

void AnswerAsAbsent(const Message& message, Actions& actions) {
  switch (message.kind) {
    case HV_KIND_READ:
      actions.Send(message.from, HV_KIND_READ_DONE, message.tag,
                   hv_access_done{.data = UINT64_MAX});
      break;
    case HV_KIND_WRITE:
      actions.Send(message.from, HV_KIND_WRITE_DONE, message.tag, hv_access_done{});
      break;
    case HV_KIND_MSR_READ:
    case HV_KIND_MSR_WRITE:
      actions.Send(message.from, HV_KIND_MSR_DONE, message.tag, hv_msr_done{.fault = 1});
      break;
    // CR8 is always there: it reads as zero.
    case HV_KIND_CR8_READ:
    case HV_KIND_CR8_WRITE:
      actions.Send(message.from, HV_KIND_MSR_DONE, message.tag, hv_msr_done{});
      break;
    case HV_KIND_STORE:
      actions.Send(message.from, HV_KIND_STORE_DONE, message.tag, hv_store_done{.refused = 1});
      break;
    default: break;
  }
}

}  // namespace hv::service
