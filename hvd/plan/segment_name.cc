#include "hvd/plan/segment_name.h"

#include "absl/strings/str_cat.h"
#include "service/role_name.h"

namespace hv::hvd {

std::string SegmentName(hv_segment kind, uint32_t endpoint, uint32_t peer) {
  const auto of = [&](const char* what) {
    return absl::StrCat("hv:", what, ":", service::EndpointName(endpoint));
  };
  switch (kind) {
    case HV_SEGMENT_CHANNEL: return absl::StrCat(of("channel"), ":", service::EndpointName(peer));
    case HV_SEGMENT_STATE: return of("state");
    case HV_SEGMENT_WAKE: return of("wake");
    case HV_SEGMENT_VCPU_PAGE: return of("vcpu-page");
    case HV_SEGMENT_ROUTE_TABLE: return "hv:route-table";
    case HV_SEGMENT_CPUID_TABLE: return "hv:cpuid-table";
    case HV_SEGMENT_SPIN_BUDGET: return "hv:spin-budget";
    case HV_SEGMENT_DIRTY_LOG: return "hv:dirty-log";
    case HV_SEGMENT_GUEST_RAM: return "hv:guest-ram";
    case HV_SEGMENT_PAGER_PAGE: return "hv:pager-page";
    case HV_SEGMENT_WRITTEN_PAGES: return "hv:written-pages";
  }
  return "hv:unknown";
}

}  // namespace hv::hvd
