#include "service/wiring.h"

#include "abi/version_check.h"
#include "absl/strings/str_cat.h"
#include "service/role_name.h"

namespace hv::service {
namespace {

// What every part writes to: a mapping without the right would be a death at the first store.
bool MustBeWritable(hv_segment kind) {
  return kind == HV_SEGMENT_CHANNEL || kind == HV_SEGMENT_STATE || kind == HV_SEGMENT_WAKE ||
         kind == HV_SEGMENT_SPIN_BUDGET;
}

}  // namespace

absl::StatusOr<hv_wake*> FindWake(const Attachment& attachment, uint32_t endpoint) {
  auto* wake = attachment.FindAs<hv_wake>(HV_SEGMENT_WAKE, endpoint);
  if (wake == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("manifest: no wake segment of ", EndpointName(endpoint)));
  }
  if (auto status = CheckSegmentHeader(wake->header, HV_SEGMENT_WAKE); !status.ok()) return status;
  return wake;
}

absl::StatusOr<Wiring> Wiring::Make(const Attachment& attachment) {
  Wiring wiring;
  wiring.self_ = attachment.manifest().endpoint();
  auto own = FindWake(attachment, wiring.self_);
  if (!own.ok()) return own.status();
  wiring.own_wake_ = *own;
  wiring.budget_ = attachment.FindAs<hv_spin_budget>(HV_SEGMENT_SPIN_BUDGET);
  if (wiring.budget_ != nullptr) {
    const auto status = CheckSegmentHeader(wiring.budget_->header, HV_SEGMENT_SPIN_BUDGET);
    if (!status.ok()) return status;
  }
  for (const auto& segment : attachment.segments()) {
    if (!segment.writable && MustBeWritable(segment.kind)) {
      return absl::InvalidArgumentError(
          absl::StrCat("manifest: segment of kind ", static_cast<uint32_t>(segment.kind), " of ",
                       EndpointName(segment.endpoint), " is read only"));
    }
    if (segment.kind != HV_SEGMENT_CHANNEL) continue;
    auto view = ring::OpenChannel(segment.mapping.bytes(), segment.endpoint, segment.peer);
    if (!view.ok()) return view.status();
    if (view->outbound.capacity < HV_OUTBOX_CELLS) {
      return absl::InvalidArgumentError(absl::StrCat(
          "channel with ", EndpointName(segment.peer), ": ", view->outbound.capacity,
          " cells each way cannot hold the ", HV_OUTBOX_CELLS, " messages of one step"));
    }
    auto wake = FindWake(attachment, segment.peer);
    if (!wake.ok()) return wake.status();
    wiring.ports_.push_back({segment.peer, *view});
    wiring.wakers_.emplace_back(*wake);
  }
  if (wiring.ports_.size() > HV_MAX_CHANNELS) {
    return absl::InvalidArgumentError(
        absl::StrCat("manifest: ", wiring.ports_.size(), " channels, at most ", HV_MAX_CHANNELS));
  }
  return wiring;
}

}  // namespace hv::service
