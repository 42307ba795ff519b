// One life of a machine: its segments and processes, from power-on to the end.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "hvd/faults/machine_faults.h"
#include "hvd/host/runtime_folder.h"
#include "hvd/machine/machine_memory.h"
#include "hvd/machine/world.h"
#include "hvd/plan/manifests.h"
#include "hvd/plan/segment_set.h"
#include "hvd/streams/console_hub.h"
#include "hvd/streams/console_pump.h"
#include "hvd/supervision/kernel_client.h"
#include "hvd/supervision/machine_records.h"
#include "hvd/supervision/mmu_client.h"
#include "hvd/supervision/supervisor.h"
#include "proto/hv/v1/machine.pb.h"

namespace hv::hvd {

// How an instance came to its end. A reset that is to be followed by another life has cause RESET.
struct InstanceEnd {
  hv::v1::ExitCause cause = hv::v1::EXIT_CAUSE_UNSPECIFIED;
  uint32_t value = 0;                        // DEBUG_EXIT: what the guest wrote
  std::string message;                       // in words
  std::optional<hv::v1::KernelExit> report;  // what hv_kernel said
};

class MachineInstance {
 public:
  struct Callbacks {
    std::function<void(const ServiceEvent&)> on_service_event;
    // Once, from another thread; must not destroy the instance.
    std::function<void(InstanceEnd)> on_end;
  };

  // Makes all of it; the guest waits for Start(). On an error nothing is left. `records`, in which
  // this life has begun, and `hub` outlive it.
  static absl::StatusOr<std::unique_ptr<MachineInstance>> Make(const World& world,
                                                               const hv::v1::MachineConfig& config,
                                                               ConsoleHub& hub,
                                                               MachineRecords& records,
                                                               Callbacks callbacks);
  // Goes on with what another hvd has made; parts of other lives than `remains.life` are ended. On
  // an error nothing is left.
  static absl::StatusOr<std::unique_ptr<MachineInstance>> Restore(
      const World& world, const hv::v1::MachineConfig& config, ConsoleHub& hub,
      MachineRecords& records, Remains remains, Callbacks callbacks);

  // Ends every process and gives everything back, the records too. Output that the guest had
  // written is in the hub.
  ~MachineInstance();

  absl::Status Start() { return kernel_->Start(); }
  absl::Status Pause() { return kernel_->Pause(); }
  absl::Status Resume() { return kernel_->Resume(); }
  void PressPowerButton() { pump_->PressPowerButton(); }

  absl::StatusOr<std::string> Registers(uint32_t vcpu) { return kernel_->GetRegisters(vcpu); }
  absl::StatusOr<hv::v1::KernelGetStatsResponse> Stats() { return kernel_->GetStats(); }
  MachineMemory Memory() {
    return {*mmu_, *kernel_, segments_.guest_ram().fd.get(), plan_.paging, segments_.pager_page()};
  }
  MachineFaults Faults() {
    return {*supervisor_, *kernel_part_.process, segments_, PlanTopology(plan_.cpus).services,
            next_fault_};
  }
  // hv_kernel first, hvd last.
  std::vector<hv::v1::ServiceStatus> Services();
  // As MachineService.ReplaceService; NotFound names the services there are.
  absl::Status ReplaceService(const std::string& name);
  std::vector<std::string> Degraded() const { return supervisor_->Degraded(); }
  const std::string& engine() const { return plan_.engine; }
  // Why the host pages guest RAM though nobody asked for that; empty: it does not, or was asked.
  const std::string& paging_notice() const { return plan_.paging.notice; }

 private:
  MachineInstance(MachineFolder folder, SegmentSet segments, MachineRecords& records)
      : records_(records), folder_(std::move(folder)), segments_(std::move(segments)) {}

  absl::Status Build(const World& world, const hv::v1::MachineConfig& config, ConsoleHub& hub,
                     Callbacks& callbacks);
  void Plan(const hv::v1::MachineConfig& config);
  void MakeSupervisor(const World& world, Callbacks& callbacks);
  absl::Status StartServices();
  absl::Status StartKernel(const std::string& paging);
  void WatchExit(Callbacks& callbacks);
  absl::Status RestoreParts(const World& world, ConsoleHub& hub, std::vector<RemainingPart> parts,
                            Callbacks& callbacks);
  // The error with what the processes wrote to standard error.
  absl::Status WithLog(const absl::Status& status) const;
  hv::v1::ServiceStatus HostStatus() const;
  InstanceEnd EndOf(absl::StatusOr<hv::v1::KernelExit> exit);
  void AwaitLastOutput();

  // In the order in which they go, last first.
  MachineRecords& records_;
  MachineFolder folder_;
  SegmentSet segments_;
  MachinePlan plan_;
  std::unique_ptr<ConsolePump> pump_;
  std::unique_ptr<Supervisor> supervisor_;
  std::unique_ptr<MmuClient> mmu_;
  LaunchedPart kernel_part_;
  std::unique_ptr<KernelClient> kernel_;
  uint32_t next_fault_ = 1;
};

}  // namespace hv::hvd
