// A machine inside hv_kernel: the engine, its vCPU threads, and their lines to the services.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "hv_kernel/engine.h"
#include "hv_kernel/router.h"
#include "hv_kernel/run_control.h"
#include "hv_kernel/statistics.h"
#include "hv_kernel/vcpu_loop.h"
#include "service/attachment.h"

namespace hv {

// All calls from one thread at a time, but where it says otherwise.
class Machine {
 public:
  // Builds everything up to the first instruction. InvalidArgument: the manifest is not a
  // machine's; says what is missing. Unimplemented: an engine this build does not have.
  // FailedPrecondition: the host lacks what the engine needs. `kvm` is /dev/kvm, for the engine of
  // that name, and may be closed afterwards.
  static absl::StatusOr<std::unique_ptr<Machine>> Create(const service::Attachment& attachment,
                                                         const UniqueFd& kvm);
  ~Machine();

  // FailedPrecondition: started before, stopped, or a service has not published what is needed yet.
  absl::Status Start();
  absl::Status Pause();
  absl::Status Resume();
  // Any thread: tells every vCPU to end, whatever it waits for; ends a Pause that waits for them.
  void RequestStop();
  // Parks every vCPU, takes over the map as mmu_svc has published it, and lets a machine that ran
  // go on. Idempotent. FailedPrecondition: stopped, or the map is not to be used; the old one
  // stays.
  absl::Status ReloadMap();
  // Ends every vCPU; returns when all are gone.
  void Stop();
  // Blocks until the machine has stopped, or `give_up` says so (asked several times a second).
  std::optional<StopReport> WaitUntilStopped(const std::function<bool()>& give_up);

  // NotFound; FailedPrecondition while it runs.
  absl::StatusOr<hv_vcpu_state> Registers(uint32_t vcpu) const;
  std::vector<const Statistics*> statistics() const;
  const Engine& engine() const { return *engine_; }

 private:
  struct Vcpu;

  Machine() = default;
  absl::Status Attach(const service::Attachment& attachment, const UniqueFd& kvm);
  absl::Status MakeVcpu(const service::Attachment& attachment, uint32_t index);
  absl::Status LoadMap();

  const hv_route_table* table_ = nullptr;
  const hv_cpuid_table* cpuid_ = nullptr;
  std::vector<hv_cpuid_entry> cpuid_copy_;  // entries past the published ones are zero
  std::span<std::byte> ram_;
  std::atomic<uint64_t>* dirty_log_ = nullptr;
  Router router_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<RunControl> control_;
  std::vector<std::unique_ptr<Vcpu>> vcpus_;
  uint64_t tsc_base_ = 0;
  hv_vcpu_state boot_state_{};
  bool started_ = false;
};

}  // namespace hv
