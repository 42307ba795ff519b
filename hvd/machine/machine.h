// A machine: its name and configuration, its state, and the life it has at present.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "hvd/machine/machine_instance.h"
#include "hvd/machine/task_queue.h"
#include "hvd/machine/world.h"
#include "hvd/streams/console_hub.h"
#include "proto/hv/v1/machine.pb.h"

namespace hv::hvd {

//            Build            Start             Pause
//  CREATING -------> CREATED -------> RUNNING <-------> PAUSED
//                       |    Start      |      Resume     |
//                       |  .------------+-----------------'
//                       v  v            ^ Start
//                     STOPPING -----> STOPPED
//
// Thread-safe. Changes are made one after the other on a thread of the machine's own; reading its
// state never waits for them.
class Machine {
 public:
  // `config` as ValidateConfig returned it.
  Machine(const World& world, hv::v1::MachineConfig config, ConsoleMemory console);
  // One that another hvd had; Restore() is to follow. REQUIRES: remains.machine.
  Machine(const World& world, const Remains& remains, ConsoleMemory console);
  // Ends it at once.
  ~Machine();

  // Takes over what is there of it and brings it where its record says it is to be. What cannot be
  // taken over is ended, and the machine stopped with the reason.
  void Restore(Remains remains);

  // CREATING -> CREATED. On an error nothing is left and the machine is to be dropped.
  absl::Status Build();
  absl::Status Start();
  absl::Status Pause();
  absl::Status Resume();
  // Presses the power button of a running guest and gives it `grace`; then, or if there is none,
  // ends it at once. Returns when no process is left.
  absl::Status Stop(std::chrono::seconds grace);

  hv::v1::Machine Show() const;
  hv::v1::Event CurrentEvent() const;
  // FailedPrecondition: it has no processes.
  absl::StatusOr<std::vector<hv::v1::ServiceStatus>> Services();
  absl::Status ReplaceService(const std::string& service);
  absl::StatusOr<hv::v1::KernelGetStatsResponse> Stats();
  // A running guest is paused for the moment.
  absl::StatusOr<std::vector<hv::v1::Registers>> Registers();
  // Does `work` on the memory of a machine that has processes. FailedPrecondition: it has none.
  absl::Status WithMemory(const std::function<absl::Status(MachineMemory&)>& work);
  // Likewise on the faults set for its services.
  absl::Status WithFaults(const std::function<absl::Status(MachineFaults&)>& work);
  // A running guest is paused for the moment. NotFound: no such vCPU. FailedPrecondition: as above.
  absl::StatusOr<hv::v1::Translation> Translate(uint32_t vcpu, uint64_t linear);
  ConsoleHub& console() { return hub_; }
  // Says that it is gone; the console ends.
  void AnnounceDeletion();

 private:
  // --- On the queue's thread.
  absl::Status MakeInstance();
  void AnnounceHostPaging(const std::string& notice);
  void RestoreNow(Remains remains);
  // Lets the guest run, or stand still, as it should have by now.
  void SettleKernel();
  MachineInstance::Callbacks CallbacksOf(uint64_t life);
  std::shared_ptr<MachineInstance> TakeInstance();
  absl::Status StartNow();
  absl::Status PauseNow();
  absl::Status PauseOrGoOn();
  absl::Status ResumeNow();
  void HandleEnd(uint64_t life, const InstanceEnd& end);
  void EndNow(const InstanceEnd& end);
  bool RestartAfterReset(const InstanceEnd& end);
  absl::StatusOr<std::vector<hv::v1::Registers>> RegistersNow();
  absl::Status WhilePausedNow(const std::function<absl::Status(MachineInstance&)>& work);

  absl::Status WrongState(const char* what, const char* instead) const;
  void SetState(hv::v1::MachineState state, const hv::v1::MachineExit* exit = nullptr);
  // Puts on record that the machine is to be in that state. Before it is brought there: a successor
  // of this hvd that is killed meanwhile brings it there.
  void Intend(hv::v1::MachineState state, const hv::v1::MachineExit* exit = nullptr,
              bool restarting = false);
  void StartAnew();
  hv::v1::MachineState state() const;
  std::shared_ptr<MachineInstance> instance() const;
  void OnServiceEvent(const ServiceEvent& event);

  const World world_;
  const hv::v1::MachineConfig config_;
  ConsoleHub hub_;
  MachineRecords records_;
  // What Show() shows.
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  hv::v1::Machine shown_;
  std::shared_ptr<MachineInstance> instance_;  // changed on the queue's thread alone
  uint64_t life_ = 0;                          // of instance_; the queue's thread alone
  TaskQueue queue_;
};

}  // namespace hv::hvd
