// Guest memory of one life of a machine: its map and changes that take effect, the dirty log, the
// write watch, linear addresses.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "hvd/plan/guest_paging.h"
#include "hvd/supervision/kernel_client.h"
#include "hvd/supervision/mmu_client.h"
#include "proto/hv/v1/machine.pb.h"

struct hv_pager_page;

namespace hv::hvd {

// mmu_svc owns the map, hv_kernel follows it when told to. A change is made in mmu_svc first, which
// commits and publishes it, and taken over by hv_kernel then; both steps may be repeated, so that a
// change cut short anywhere is completed by asking for it again.
class MachineMemory {
 public:
  // All outlive it. `ram` is the descriptor of the RAM segment.
  MachineMemory(MmuClient& mmu, KernelClient& kernel, int ram, const GuestPaging& paging,
                const hv_pager_page& pager)
      : mmu_(mmu), kernel_(kernel), ram_(ram), paging_(paging), pager_(pager) {}

  absl::StatusOr<hv::v1::GuestMemory> Show();
  // What the pager has done; none where the host pages.
  void ShowCounters(google::protobuf::RepeatedPtrField<hv::v1::Counter>& counters) const;
  absl::StatusOr<hv::v1::GuestMemory> SetDirtyLogging(uint64_t address, uint64_t bytes, bool on);
  absl::StatusOr<hv::v1::GuestMemory> SetWriteProtection(uint64_t address, uint64_t bytes, bool on);
  absl::StatusOr<hv::v1::TakeDirtyLogResponse> TakeDirtyLog(uint64_t address);
  absl::StatusOr<hv::v1::GuestMemory> SetWriteWatch(uint64_t address, uint64_t bytes, bool on);
  absl::StatusOr<hv::v1::TakeDirtyLogResponse> TakeWrittenPages(uint64_t address);
  // `vcpu_state`: the bytes of a struct hv_vcpu_state.
  absl::StatusOr<hv::v1::Translation> Translate(const std::string& vcpu_state, uint64_t linear);

 private:
  absl::StatusOr<hv::v1::GuestMemory> InForce(absl::StatusOr<hv::v1::GuestMemory> changed);
  uint64_t AllocatedBytes() const;
  // Fills in what mmu_svc does not say: what the host has given, and by whom.
  void ShowHostSide(hv::v1::GuestMemory& memory) const;

  MmuClient& mmu_;
  KernelClient& kernel_;
  const int ram_;
  const GuestPaging& paging_;
  const hv_pager_page& pager_;
};

}  // namespace hv::hvd
