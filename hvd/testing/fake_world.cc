#include "hvd/testing/fake_world.h"

#include <fcntl.h>
#include <grpcpp/grpcpp.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <thread>

#include "base/check.h"
#include "base/unique_fd.h"
#include "hvd/testing/fake_controls.h"
#include "service/control_server.h"
#include "service/descriptor_socket.h"

namespace hv::hvd {
namespace {

// What the supervisor holds: the part itself belongs to the launcher's record.
class FakeProcess final : public Process {
 public:
  FakeProcess(std::shared_ptr<FakePart> part, std::shared_ptr<std::atomic<bool>> lost)
      : part_(std::move(part)), lost_(std::move(lost)) {}
  ~FakeProcess() override {
    Kill();
    Reap();
  }
  pid_t pid() const override { return part_->pid(); }
  int death_fd() const override { return part_->death_fd(); }
  // Nothing that a fake part does counts as a hang: it makes no turns.
  ProcessActivity activity() const override { return {.state = 'Z'}; }
  ProcessActivity thread_activity(pid_t) const override { return {.state = 'Z'}; }
  void Signal(int signal) override {
    if (signal != SIGSTOP && !*lost_) part_->Die({.by_signal = true, .code = signal});
  }
  ProcessEnd Reap() override { return *lost_ ? ProcessEnd{.known = false} : part_->Join(); }

 private:
  std::shared_ptr<FakePart> part_;
  std::shared_ptr<std::atomic<bool>> lost_;
};

template <typename Watch>
void SendUserfault(int control, std::span<std::byte> ram, const Watch& watch) {
  const absl::StatusOr<UniqueFd> fd =
      watch ? watch(ram) : absl::StatusOr<UniqueFd>(absl::PermissionDeniedError("not in a test"));
  hv::v1::Userfault message;
  std::vector<int> fds;
  if (fd.ok()) {
    message.set_address(reinterpret_cast<uint64_t>(ram.data()));
    message.set_bytes(ram.size());
    fds.push_back(fd->get());
  } else {
    message.set_refusal(std::string(fd.status().message()));
  }
  CHECK(service::SendWithDescriptors(control, message.SerializeAsString(), fds).ok());
}

constexpr ProcessEnd kExit1{.by_signal = false, .code = 1};

}  // namespace

struct FakePart::State {
  FakeLauncher& launcher;
  UniqueFd socket;
  UniqueFd control;
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
  state_->control.Reset();
}

void FakePart::Live() {
  if (state_->launcher.Contains(state_->launcher.die_at_once, name_)) return Die(kExit1);
  auto attached = service::Attachment::Receive(state_->socket.get());
  if (!attached.ok()) return Die(kExit1);
  grpc::Service* service = &state_->service;
  if (name_ == "hv_kernel") service = &state_->kernel;
  std::vector<grpc::Service*> services{service};
  FakeMmuControl mmu(state_->launcher.mmu, [this] { Die(kExit1); });
  if (name_ == "mmu_svc") services.push_back(&mmu);
  service::ControlServer server(services);
  {
    std::unique_lock lock(state_->mutex);
    state_->control = attached->TakeControl();
    if (attached->manifest().kernel().demand_paging()) {
      SendUserfault(state_->control.get(), attached->Find(HV_SEGMENT_GUEST_RAM),
                    state_->launcher.watch_memory);
    }
    state_->attachment = *std::move(attached);
    state_->changed.notify_all();
  }
  state_->launcher.changed_.notify_all();
  if (state_->launcher.Contains(state_->launcher.die_attached, name_)) Die(kExit1);
  if (alive()) server.ServeAllFrom(state_->control.get());
  Die({});  // by itself, unless it has died another way
  state_->kernel.Die();
}

void FakePart::Die(ProcessEnd end) {
  std::lock_guard lock(state_->mutex);
  if (state_->end) return;
  state_->end = end;
  shutdown(state_->socket.get(), SHUT_RDWR);
  shutdown(state_->control.get(), SHUT_RDWR);
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
  return std::make_unique<FakeProcess>(std::move(part), lost_);
}

std::unique_ptr<Process> FakeLauncher::Adopt(pid_t pid, UniqueFd) {
  std::lock_guard lock(mutex_);
  for (const auto& part : parts_) {
    if (part->pid() == pid) return std::make_unique<FakeProcess>(part, lost_);
  }
  CHECK(false);
}

void FakeLauncher::LoseProcesses() {
  std::lock_guard lock(mutex_);
  *lost_ = true;
  lost_ = std::make_shared<std::atomic<bool>>(false);
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
