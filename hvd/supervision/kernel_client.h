// hvd's side of hv.v1.KernelControl with one hv_kernel.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "proto/hv/v1/kernel_control.pb.h"

namespace hv::hvd {

// Thread-safe. Unavailable: hv_kernel is gone. DeadlineExceeded: it does not answer.
class KernelClient {
 public:
  explicit KernelClient(UniqueFd connection);
  // Ends the watch: its callback is not running afterwards. REQUIRES: not called from it.
  ~KernelClient();

  absl::StatusOr<hv::v1::DescribeResponse> Describe(std::chrono::milliseconds timeout);
  absl::Status Start();
  absl::Status Pause();
  absl::Status Resume();
  // The map that mmu_svc has published is in force when this returns.
  absl::Status ReloadMap();
  // struct hv_vcpu_state of one vCPU.
  absl::StatusOr<std::string> GetRegisters(uint32_t vcpu);
  absl::StatusOr<hv::v1::KernelGetStatsResponse> GetStats();

  // Calls `stopped` once, from a thread of its own: with the exit that hv_kernel reports, or with
  // why it cannot report any more (it is gone). Not at all once destruction has begun. Once.
  void WatchExit(std::function<void(absl::StatusOr<hv::v1::KernelExit>)> stopped);

 private:
  struct Rpc;
  std::unique_ptr<Rpc> rpc_;
};

}  // namespace hv::hvd
