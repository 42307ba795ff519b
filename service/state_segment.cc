#include "service/state_segment.h"

#include <algorithm>
#include <cstring>

#include "abi/version_check.h"
#include "absl/strings/str_cat.h"

namespace hv::service {

absl::StatusOr<StateSegment> StateSegment::Open(std::span<std::byte> segment, uint32_t role,
                                                uint32_t epoch, size_t state_bytes,
                                                uint32_t layout) {
  if (segment.size() < HV_STATE_SEGMENT_BYTES(state_bytes)) {
    return absl::FailedPreconditionError(absl::StrCat("state segment: ", segment.size(), " bytes, ",
                                                      HV_STATE_SEGMENT_BYTES(state_bytes),
                                                      " needed"));
  }
  auto* header = reinterpret_cast<hv_state_header*>(segment.data());
  if (auto status = CheckSegmentHeader(header->header, HV_SEGMENT_STATE); !status.ok()) {
    return status;
  }
  if (header->role != role) {
    return absl::FailedPreconditionError(
        absl::StrCat("state segment: of role ", header->role, ", this is role ", role));
  }
  if (header->epoch != epoch) {
    return absl::FailedPreconditionError(absl::StrCat("state segment: is at epoch ", header->epoch,
                                                      ", this process was started for epoch ",
                                                      epoch, ": another has taken over"));
  }
  if (ring::LoadAcquire(header->commit) == 0) {
    header->state_bytes = static_cast<uint32_t>(state_bytes);
    header->state_layout = layout;
  }
  if (header->state_bytes != state_bytes || header->state_layout != layout) {
    return absl::FailedPreconditionError(
        absl::StrCat("state segment: layout ", header->state_layout, " of ", header->state_bytes,
                     " bytes; this process keeps layout ", layout, " of ", state_bytes,
                     " bytes: carry the state over with ExportState and ImportState"));
  }
  return StateSegment(header, state_bytes);
}

absl::Status StateSegment::CheckCurrent(size_t channels) const {
  const hv_state_copy& copy = current();
  if (copy.outbox_count > HV_OUTBOX_CELLS) {
    return absl::FailedPreconditionError(absl::StrCat(
        "state segment: outbox of ", copy.outbox_count, " cells, at most ", HV_OUTBOX_CELLS));
  }
  for (uint32_t i = 0; i < copy.outbox_count; ++i) {
    const hv_outbox_entry& entry = copy.outbox[i];
    if (entry.channel >= channels) {
      return absl::FailedPreconditionError(absl::StrCat(
          "state segment: outbox cell ", i, " is for channel ", entry.channel, " of ", channels));
    }
    const uint64_t produced = copy.produced[entry.channel];
    if (entry.cell.stamp != entry.position + 1 || entry.position >= produced ||
        produced - entry.position > copy.outbox_count) {
      return absl::FailedPreconditionError(absl::StrCat(
          "state segment: outbox cell ", i, " with stamp ", entry.cell.stamp, " is for position ",
          entry.position, " of a ring where ", produced, " were sent"));
    }
  }
  return absl::OkStatus();
}

void StateSegment::Format(std::span<std::byte> segment, uint32_t role, uint32_t epoch) {
  CHECK(segment.size() >= HV_STATE_COPIES_OFFSET);
  auto* header = reinterpret_cast<hv_state_header*>(segment.data());
  header->header = {HV_SEGMENT_MAGIC, HV_SEGMENT_STATE, HV_ABI_MAJOR, HV_ABI_MINOR};
  header->role = role;
  header->epoch = epoch;
}

hv_state_copy* StateSegment::Copy(uint64_t which) const {
  auto* base = reinterpret_cast<std::byte*>(header_) + HV_STATE_COPIES_OFFSET;
  return reinterpret_cast<hv_state_copy*>(base + which * HV_STATE_COPY_BYTES(state_bytes_));
}

hv_fault_table& StateSegment::faults() {
  return *reinterpret_cast<hv_fault_table*>(reinterpret_cast<std::byte*>(header_) +
                                            HV_FAULTS_OFFSET);
}

void StateSegment::PrepareSpare(size_t channels) {
  const hv_state_copy& from = current();
  hv_state_copy& to = spare();
  std::copy_n(from.consumed, channels, to.consumed);
  std::copy_n(from.produced, channels, to.produced);
  to.wake_at_ns = from.wake_at_ns;
  to.now_ns = from.now_ns;
  to.steps = from.steps;
  to.outbox_count = 0;
  std::memcpy(&to + 1, &from + 1, state_bytes_);
}

}  // namespace hv::service
