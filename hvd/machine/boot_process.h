// Loads kernels by running hv_boot, one process a load: what it parses is foreign.
#pragma once

#include "hvd/host/process.h"
#include "hvd/machine/guest_loader.h"

namespace hv::hvd {

class BootProcess : public GuestLoader {
 public:
  explicit BootProcess(Launcher& launcher) : launcher_(launcher) {}

  // As GuestLoader. DeadlineExceeded: hv_boot took longer than a minute and was ended. Internal: it
  // died without an answer.
  absl::StatusOr<std::string> Load(const hv::v1::MachineConfig& config, const BootFiles& files,
                                   const SegmentSet& segments, int log) override;

 private:
  Launcher& launcher_;
};

}  // namespace hv::hvd
