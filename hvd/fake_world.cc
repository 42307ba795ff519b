#include "hvd/fake_world.h"

#include <fcntl.h>
#include <grpcpp/grpcpp.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <optional>
#include <thread>

#include "abi/vcpu_state.h"
#include "base/check.h"
#include "base/unique_fd.h"
#include "proto/hv/v1/kernel_control.grpc.pb.h"
#include "proto/hv/v1/mmu_control.grpc.pb.h"
#include "proto/hv/v1/service_control.grpc.pb.h"
#include "service/control_server.h"

namespace hv::hvd {
namespace {

class FakeServiceControl : public hv::v1::ServiceControl::Service {
 public:
  explicit FakeServiceControl(std::string name) : name_(std::move(name)) {}
  grpc::Status Describe(grpc::ServerContext*, const hv::v1::DescribeRequest*,
                        hv::v1::DescribeResponse* response) override {
    response->set_name(name_);
    response->add_maps("state");
    response->add_sandbox("seccomp");
    return grpc::Status::OK;
  }
  grpc::Status Resume(grpc::ServerContext*, const hv::v1::ResumeRequest*,
                      hv::v1::ResumeResponse*) override {
    return grpc::Status::OK;
  }

 private:
  std::string name_;
};

class FakeKernelControl : public hv::v1::KernelControl::Service {
 public:
  grpc::Status Describe(grpc::ServerContext*, const hv::v1::DescribeRequest*,
                        hv::v1::DescribeResponse* response) override {
    response->set_name("hv_kernel");
    return grpc::Status::OK;
  }
  grpc::Status Start(grpc::ServerContext*, const hv::v1::KernelStartRequest*,
                     hv::v1::KernelStartResponse*) override {
    return Note("start");
  }
  grpc::Status Pause(grpc::ServerContext*, const hv::v1::KernelPauseRequest*,
                     hv::v1::KernelPauseResponse*) override {
    const grpc::Status noted = Note("pause");
    return fail_pauses ? grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "too late") : noted;
  }
  grpc::Status Resume(grpc::ServerContext*, const hv::v1::KernelResumeRequest*,
                      hv::v1::KernelResumeResponse*) override {
    return Note("resume");
  }
  grpc::Status ReloadMap(grpc::ServerContext*, const hv::v1::KernelReloadMapRequest*,
                         hv::v1::KernelReloadMapResponse*) override {
    return Note("reload map");
  }
  grpc::Status GetRegisters(grpc::ServerContext*, const hv::v1::KernelGetRegistersRequest* request,
                            hv::v1::KernelGetRegistersResponse* response) override {
    hv_vcpu_state state{};
    state.rip = 0x1000 + request->vcpu();
    state.cr3 = 0x2000 + request->vcpu();
    response->set_vcpu_state(&state, sizeof(state));
    return Note("registers");
  }
  grpc::Status GetStats(grpc::ServerContext*, const hv::v1::KernelGetStatsRequest*,
                        hv::v1::KernelGetStatsResponse* response) override {
    response->set_engine("soft");
    auto& exits = *response->add_vcpus()->add_exits();
    exits.set_name("port_read");
    exits.set_value(42);
    return grpc::Status::OK;
  }
  grpc::Status WatchExit(grpc::ServerContext*, const hv::v1::KernelWatchExitRequest*,
                         grpc::ServerWriter<hv::v1::KernelExit>* writer) override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return exit_.has_value() || dead_; });
    if (exit_) writer->Write(*exit_);
    return grpc::Status::OK;
  }

  void Report(const hv::v1::KernelExit& exit) {
    std::lock_guard lock(mutex_);
    exit_ = exit;
    changed_.notify_all();
  }
  void Die() {
    std::lock_guard lock(mutex_);
    dead_ = true;
    changed_.notify_all();
  }
  std::vector<std::string> calls() const {
    std::lock_guard lock(mutex_);
    return calls_;
  }

  std::atomic<bool> fail_pauses{false};

 private:
  grpc::Status Note(const char* call) {
    std::lock_guard lock(mutex_);
    calls_.emplace_back(call);
    return grpc::Status::OK;
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<hv::v1::KernelExit> exit_;
  bool dead_ = false;
  std::vector<std::string> calls_;
};

// Answers with what FakeMmu holds.
class FakeMmuControl : public hv::v1::MmuControl::Service {
 public:
  FakeMmuControl(FakeMmu& mmu, std::function<void()> die) : mmu_(mmu), die_(std::move(die)) {}

  grpc::Status GetMap(grpc::ServerContext*, const hv::v1::MmuGetMapRequest*,
                      hv::v1::GuestMemory* response) override {
    *response = mmu_.memory;
    return Enter("get map");
  }
  grpc::Status SetDirtyLogging(grpc::ServerContext*, const hv::v1::MmuSetDirtyLoggingRequest*,
                               hv::v1::GuestMemory* response) override {
    *response = mmu_.memory;
    const grpc::Status status = Enter("set dirty logging");
    return status.ok() ? mmu_.refusal : status;
  }
  grpc::Status SetWriteProtection(grpc::ServerContext*, const hv::v1::MmuSetWriteProtectionRequest*,
                                  hv::v1::GuestMemory* response) override {
    *response = mmu_.memory;
    const grpc::Status status = Enter("set write protection");
    return status.ok() ? mmu_.refusal : status;
  }
  grpc::Status ReadDirtyLog(grpc::ServerContext*, const hv::v1::MmuReadDirtyLogRequest* request,
                            hv::v1::DirtyPages* response) override {
    for (const auto& range : mmu_.dirty) {
      if (range.address() < request->address()) continue;
      *response = range;
      break;
    }
    return Enter("read dirty log");
  }
  grpc::Status ClearDirtyLog(grpc::ServerContext*, const hv::v1::DirtyPages* request,
                             hv::v1::MmuClearDirtyLogResponse*) override {
    mmu_.cleared.push_back(*request);
    return Enter("clear dirty log");
  }
  grpc::Status Translate(grpc::ServerContext*, const hv::v1::MmuTranslateRequest* request,
                         hv::v1::Translation* response) override {
    mmu_.translated = *request;
    response->set_linear(request->linear());
    response->set_physical(0x5000);
    return Enter("translate");
  }

 private:
  grpc::Status Enter(const char* call) {
    if (!mmu_.Enter(call)) return grpc::Status::OK;
    die_();
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "dead");
  }

  FakeMmu& mmu_;
  const std::function<void()> die_;
};

// What the supervisor holds: the part itself belongs to the launcher's record.
class FakeProcess : public Process {
 public:
  explicit FakeProcess(std::shared_ptr<FakePart> part) : part_(std::move(part)) {}
  ~FakeProcess() override {
    Kill();
    Reap();
  }
  pid_t pid() const override { return part_->pid(); }
  int death_fd() const override { return part_->death_fd(); }
  // Nothing that a fake part does counts as a hang: it makes no turns.
  ProcessActivity activity() const override { return {.state = 'Z'}; }
  void Kill() override { part_->Die({.by_signal = true, .code = SIGKILL}); }
  ProcessEnd Reap() override { return part_->Join(); }

 private:
  std::shared_ptr<FakePart> part_;
};

constexpr ProcessEnd kExit1{.by_signal = false, .code = 1};

}  // namespace

struct FakePart::State {
  FakeLauncher& launcher;
  UniqueFd socket;
  UniqueFd death{eventfd(0, EFD_CLOEXEC)};
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<ProcessEnd> end;
  std::optional<service::Attachment> attachment;
  FakeServiceControl service;
  FakeKernelControl kernel;
  std::once_flag joined;
  std::thread thread;
};

FakePart::FakePart(FakeLauncher& launcher, std::string name, int pid, int socket)
    : name_(std::move(name)),
      pid_(pid),
      state_(new State{.launcher = launcher,
                       .socket = UniqueFd(fcntl(socket, F_DUPFD_CLOEXEC, 0)),
                       .service = FakeServiceControl(name_)}) {
  state_->thread = std::thread([this] { Run(); });
}

FakePart::~FakePart() {
  Die(kExit1);
  Join();
}

int FakePart::death_fd() const { return state_->death.get(); }

bool FakePart::alive() const {
  std::lock_guard lock(state_->mutex);
  return !state_->end.has_value();
}

void FakePart::Run() {
  Live();
  // As with a process: what was sent and not received goes with it.
  std::lock_guard lock(state_->mutex);
  state_->socket.Reset();
}

void FakePart::Live() {
  if (state_->launcher.Contains(state_->launcher.die_at_once, name_)) return Die(kExit1);
  auto attached = service::Attachment::Receive(state_->socket.get());
  if (!attached.ok()) return Die(kExit1);
  UniqueFd control = attached->TakeControl();
  grpc::Service* service = &state_->service;
  if (name_ == "hv_kernel") service = &state_->kernel;
  std::vector<grpc::Service*> services{service};
  FakeMmuControl mmu(state_->launcher.mmu, [this] { Die(kExit1); });
  if (name_ == "mmu_svc") services.push_back(&mmu);
  service::ControlServer server(services, std::move(control));
  {
    std::unique_lock lock(state_->mutex);
    state_->attachment = *std::move(attached);
    state_->changed.notify_all();
  }
  state_->launcher.changed_.notify_all();
  if (state_->launcher.Contains(state_->launcher.die_attached, name_)) Die(kExit1);
  {
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [this] { return state_->end.has_value(); });
  }
  state_->kernel.Die();
}

void FakePart::Die(ProcessEnd end) {
  std::lock_guard lock(state_->mutex);
  if (state_->end) return;
  state_->end = end;
  shutdown(state_->socket.get(), SHUT_RDWR);
  state_->changed.notify_all();
  const uint64_t one = 1;
  CHECK(write(state_->death.get(), &one, sizeof(one)) == sizeof(one));
}

ProcessEnd FakePart::Join() {
  std::call_once(state_->joined, [this] { state_->thread.join(); });
  std::lock_guard lock(state_->mutex);
  return *state_->end;
}

const service::Attachment* FakePart::AwaitAttached() {
  std::unique_lock lock(state_->mutex);
  state_->changed.wait(lock, [this] { return state_->attachment || state_->end; });
  return state_->attachment ? &*state_->attachment : nullptr;
}

void FakePart::ReportExit(const hv::v1::KernelExit& exit) { state_->kernel.Report(exit); }

void FakePart::FailPauses() { state_->kernel.fail_pauses = true; }

std::vector<std::string> FakePart::calls() const { return state_->kernel.calls(); }

bool FakeMmu::Enter(const std::string& call) {
  std::lock_guard lock(mutex_);
  calls_.push_back(call);
  return die_in.erase(call) > 0;
}

std::vector<std::string> FakeMmu::calls() const {
  std::lock_guard lock(mutex_);
  return calls_;
}

bool FakeLauncher::Contains(const std::set<std::string>& set, const std::string& name) const {
  std::lock_guard lock(mutex_);
  return set.count(name) > 0;
}

absl::StatusOr<std::unique_ptr<Process>> FakeLauncher::Launch(const std::string& name, int socket,
                                                              int) {
  if (Contains(missing, name)) return absl::NotFoundError("program " + name + " not found");
  std::shared_ptr<FakePart> part;
  {
    std::lock_guard lock(mutex_);
    part = std::make_shared<FakePart>(*this, name, 1000 + static_cast<int>(parts_.size()), socket);
    parts_.push_back(part);
  }
  changed_.notify_all();
  return std::make_unique<FakeProcess>(std::move(part));
}

std::shared_ptr<FakePart> FakeLauncher::Find(const std::string& name) const {
  std::lock_guard lock(mutex_);
  for (auto part = parts_.rbegin(); part != parts_.rend(); ++part) {
    if ((*part)->name() == name && (*part)->alive()) return *part;
  }
  return nullptr;
}

std::shared_ptr<FakePart> FakeLauncher::Await(const std::string& name, int after_pid) {
  std::shared_ptr<FakePart> found;
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] {
      for (const auto& part : parts_) {
        if (part->name() == name && part->pid() > after_pid) found = part;
      }
      return found != nullptr;
    });
  }
  found->AwaitAttached();
  return found;
}

int FakeLauncher::alive() const {
  std::lock_guard lock(mutex_);
  int alive = 0;
  for (const auto& part : parts_) alive += part->alive();
  return alive;
}

int FakeLauncher::launched() const {
  std::lock_guard lock(mutex_);
  return static_cast<int>(parts_.size());
}

absl::StatusOr<std::string> FakeLoader::Load(const hv::v1::MachineConfig&, const BootFiles& files,
                                             const SegmentSet&, int) {
  loaded_kernel = files.kernel.path;
  if (!error.ok()) return error;
  return std::string(sizeof(hv_vcpu_state), '\0');
}

}  // namespace hv::hvd
