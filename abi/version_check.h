// Whether a segment is what it should be and of a version this process speaks (C++ side of
// abi/version.h).
#pragma once

#include "abi/version.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace hv {

// FailedPrecondition when the majors differ, naming both; InvalidArgument when it is no hv segment
// or one of another kind. A newer minor is accepted: minors only add.
inline absl::Status CheckSegmentHeader(const hv_segment_header& header, hv_segment expected) {
  if (header.magic != HV_SEGMENT_MAGIC) {
    return absl::InvalidArgumentError(absl::StrCat("segment: magic 0x", absl::Hex(header.magic),
                                                   " is not hv's 0x", absl::Hex(HV_SEGMENT_MAGIC)));
  }
  if (header.major != HV_ABI_MAJOR) {
    return absl::FailedPreconditionError(absl::StrCat("segment: made for ABI major ", header.major,
                                                      ", this process speaks major ", HV_ABI_MAJOR,
                                                      "; use parts of one release"));
  }
  if (header.segment != static_cast<uint32_t>(expected)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "segment: of kind ", header.segment, ", expected kind ", static_cast<uint32_t>(expected)));
  }
  return absl::OkStatus();
}

}  // namespace hv
