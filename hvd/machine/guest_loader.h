// Putting a kernel into a machine's memory; the seam between hvd and the loader process.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "hvd/machine/boot_files.h"
#include "hvd/plan/segment_set.h"
#include "proto/hv/v1/machine.pb.h"

namespace hv::hvd {

class GuestLoader {
 public:
  virtual ~GuestLoader() = default;
  // Fills guest RAM from `files` and returns the boot CPU's first state, struct hv_vcpu_state.
  // InvalidArgument: no kernel, truncated, or too large for the memory; says what and why. `log` is
  // the standard error of whatever runs.
  virtual absl::StatusOr<std::string> Load(const hv::v1::MachineConfig& config,
                                           const BootFiles& files, const SegmentSet& segments,
                                           int log) = 0;
};

}  // namespace hv::hvd
