// Guest memory of one life of a machine: its map and changes that take effect, the dirty log,
// linear addresses.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "hvd/supervision/kernel_client.h"
#include "hvd/supervision/mmu_client.h"
#include "proto/hv/v1/machine.pb.h"

namespace hv::hvd {

// mmu_svc owns the map, hv_kernel follows it when told to. A change is made in mmu_svc first, which
// commits and publishes it, and taken over by hv_kernel then; both steps may be repeated, so that a
// change cut short anywhere is completed by asking for it again.
class MachineMemory {
 public:
  // All outlive it. `ram` is the descriptor of the RAM segment.
  MachineMemory(MmuClient& mmu, KernelClient& kernel, int ram)
      : mmu_(mmu), kernel_(kernel), ram_(ram) {}

  absl::StatusOr<hv::v1::GuestMemory> Show();
  absl::StatusOr<hv::v1::GuestMemory> SetDirtyLogging(uint64_t address, uint64_t bytes, bool on);
  absl::StatusOr<hv::v1::GuestMemory> SetWriteProtection(uint64_t address, uint64_t bytes, bool on);
  absl::StatusOr<hv::v1::TakeDirtyLogResponse> TakeDirtyLog(uint64_t address);
  // `vcpu_state`: the bytes of a struct hv_vcpu_state.
  absl::StatusOr<hv::v1::Translation> Translate(const std::string& vcpu_state, uint64_t linear);

 private:
  absl::StatusOr<hv::v1::GuestMemory> InForce(absl::StatusOr<hv::v1::GuestMemory> changed);
  uint64_t AllocatedBytes() const;

  MmuClient& mmu_;
  KernelClient& kernel_;
  const int ram_;
};

}  // namespace hv::hvd
