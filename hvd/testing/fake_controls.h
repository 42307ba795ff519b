// The control services of fake parts: they note what they are asked, and answer what the test has
// laid out.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "abi/vcpu_state.h"
#include "hvd/testing/fake_world.h"
#include "proto/hv/v1/kernel_control.grpc.pb.h"
#include "proto/hv/v1/mmu_control.grpc.pb.h"
#include "proto/hv/v1/service_control.grpc.pb.h"

namespace hv::hvd {

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
  grpc::Status WatchExit(grpc::ServerContext* context, const hv::v1::KernelWatchExitRequest*,
                         grpc::ServerWriter<hv::v1::KernelExit>* writer) override {
    constexpr std::chrono::milliseconds kLook{10};
    std::unique_lock lock(mutex_);
    while (!exit_ && !dead_ && !context->IsCancelled()) changed_.wait_for(lock, kLook);
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
  grpc::Status SetDirtyLogging(grpc::ServerContext*, const hv::v1::MmuSetNotingRequest*,
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
  grpc::Status ReadDirtyLog(grpc::ServerContext*, const hv::v1::MmuReadPagesRequest* request,
                            hv::v1::DirtyPages* response) override {
    ShowFrom(request->address(), *response);
    return Enter("read dirty log");
  }
  grpc::Status ClearDirtyLog(grpc::ServerContext*, const hv::v1::DirtyPages* request,
                             hv::v1::MmuClearPagesResponse*) override {
    mmu_.cleared.push_back(*request);
    return Enter("clear dirty log");
  }
  grpc::Status SetWriteWatch(grpc::ServerContext*, const hv::v1::MmuSetNotingRequest*,
                             hv::v1::GuestMemory* response) override {
    *response = mmu_.memory;
    const grpc::Status status = Enter("set write watch");
    return status.ok() ? mmu_.refusal : status;
  }
  grpc::Status ReadWrittenPages(grpc::ServerContext*, const hv::v1::MmuReadPagesRequest* request,
                                hv::v1::DirtyPages* response) override {
    ShowFrom(request->address(), *response);
    return Enter("read written pages");
  }
  grpc::Status RewatchPages(grpc::ServerContext*, const hv::v1::DirtyPages* request,
                            hv::v1::MmuClearPagesResponse*) override {
    mmu_.cleared.push_back(*request);
    return Enter("rewatch pages");
  }
  grpc::Status Translate(grpc::ServerContext*, const hv::v1::MmuTranslateRequest* request,
                         hv::v1::Translation* response) override {
    mmu_.translated = *request;
    response->set_linear(request->linear());
    response->set_physical(0x5000);
    return Enter("translate");
  }

 private:
  void ShowFrom(uint64_t address, hv::v1::DirtyPages& shown) const {
    for (const auto& range : mmu_.dirty) {
      if (range.address() < address) continue;
      shown = range;
      break;
    }
  }
  grpc::Status Enter(const char* call) {
    if (!mmu_.Enter(call)) return grpc::Status::OK;
    die_();
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "dead");
  }

  FakeMmu& mmu_;
  const std::function<void()> die_;
};

}  // namespace hv::hvd
