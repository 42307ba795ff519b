// A world without processes for hvd's tests: parts are threads that attach for real, map what their
// manifests name and serve gRPC on their control connections, but emulate nothing.
#pragma once

#include <grpcpp/support/status.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "hvd/host/process.h"
#include "hvd/machine/guest_loader.h"
#include "proto/hv/v1/kernel_control.pb.h"
#include "proto/hv/v1/mmu_control.pb.h"
#include "service/attachment.h"

namespace hv::hvd {

class FakeLauncher;

// One part that was launched.
class FakePart {
 public:
  FakePart(FakeLauncher& launcher, std::string name, int pid, int socket);
  ~FakePart();

  const std::string& name() const { return name_; }
  int pid() const { return pid_; }
  int death_fd() const;
  bool alive() const;
  // Dies the given way, as if by itself.
  void Die(ProcessEnd end);
  ProcessEnd Join();
  // Waits until it has attached and serves. Null: it died first.
  const service::Attachment* AwaitAttached();
  // hv_kernel only: reports `exit` to whoever watches.
  void ReportExit(const hv::v1::KernelExit& exit);
  // hv_kernel only: from now on it cannot pause in time.
  void FailPauses();
  std::vector<std::string> calls() const;  // of KernelControl, in order

 private:
  struct State;
  void Run();
  void Live();
  std::string name_;
  int pid_;
  std::unique_ptr<State> state_;
};

// What every mmu_svc of a machine has in common, as if it were in its state segment. Thread-safe.
class FakeMmu {
 public:
  // Notes a call of MmuControl. True: the process dies in it (once a name in `die_in`).
  bool Enter(const std::string& call);
  std::vector<std::string> calls() const;

  // Answers; to be changed while nobody asks.
  hv::v1::GuestMemory memory;
  // One for each call of ReadDirtyLog or ReadWrittenPages.
  std::vector<hv::v1::DirtyPages> dirty;
  std::set<std::string> die_in;
  grpc::Status refusal;  // of changes
  hv::v1::MmuTranslateRequest translated;
  std::vector<hv::v1::DirtyPages> cleared;

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> calls_;
};

// Starts FakeParts. Thread-safe.
class FakeLauncher : public Launcher {
 public:
  FakeMmu mmu;

  absl::StatusOr<std::unique_ptr<Process>> Launch(const std::string& name, int socket,
                                                  int log) override;
  // A part that this launcher has launched, known by its pid.
  std::unique_ptr<Process> Adopt(pid_t pid, UniqueFd death_fd) override;

  // From now on whoever has a process has lost it: hvd has been killed, and nothing that is done
  // with its objects reaches a part.
  void LoseProcesses();

  // The newest living part of that name; null when there is none.
  std::shared_ptr<FakePart> Find(const std::string& name) const;
  // Waits for a part of that name whose pid is above `after_pid`, attached.
  std::shared_ptr<FakePart> Await(const std::string& name, int after_pid = 0);
  int alive() const;
  int launched() const;

  // What an hv_kernel that is to page on demand sends of its mapping of guest RAM; none: it says
  // that the host does not permit it.
  std::function<absl::StatusOr<UniqueFd>(std::span<std::byte> ram)> watch_memory;

  // From now on: programs that cannot be started; that die before they attach; that die as soon as
  // they have.
  std::set<std::string> missing;
  std::set<std::string> die_at_once;
  std::set<std::string> die_attached;

 private:
  friend class FakePart;
  bool Contains(const std::set<std::string>& set, const std::string& name) const;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::shared_ptr<FakePart>> parts_;
  std::shared_ptr<std::atomic<bool>> lost_ = std::make_shared<std::atomic<bool>>(false);
};

// Loads nothing; returns a zeroed vCPU state or `error`.
class FakeLoader : public GuestLoader {
 public:
  absl::StatusOr<std::string> Load(const hv::v1::MachineConfig& config, const BootFiles& files,
                                   const SegmentSet& segments, int log) override;
  absl::Status error;
  std::string loaded_kernel;
};

}  // namespace hv::hvd
