#include "hv_kernel/late_write_server.h"

#include "abi/message.h"
#include "hv_kernel/access_payload.h"

namespace hv {
namespace {

hv_space SpaceOf(const Exit& write) {
  return write.reason == ExitReason::kPortWrite ? HV_SPACE_PORT : HV_SPACE_MMIO;
}

}  // namespace

void LateWriteServer::Serve(std::span<const Exit> writes, bool anyones) {
  for (size_t i = 0; i < writes.size(); ++i) {
    const hv_space space = SpaceOf(writes[i]);
    const Destination to = router_.Find(space, writes[i].address);
    Line* line = lines_.Find(to.endpoint);
    if (line == nullptr) continue;  // a service this machine does not have
    const service::Payload payload = PackAccess(space, writes[i]);
    const uint32_t role = HV_ENDPOINT_ROLE(to.endpoint);
    const bool more =
        i + 1 < writes.size() &&
        router_.Find(SpaceOf(writes[i + 1]), writes[i + 1].address).endpoint == to.endpoint;
    if (anyones && !more) {
      if (!line->Call(HV_KIND_WRITE, HV_KIND_WRITE_DONE, payload)) return;
      statistics_.requests[role].Add();
    } else {
      if (!line->Post(HV_KIND_WRITE_POSTED, payload)) return;
      statistics_.posted[role].Add();
    }
  }
}

}  // namespace hv
