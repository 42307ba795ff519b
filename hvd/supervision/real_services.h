// The supervisor with the real service processes of one machine, for tests that play hv_kernel.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/temporary_folder.h"
#include "hvd/host/machine_clock_base.h"
#include "hvd/host/posix_launcher.h"
#include "hvd/machine/memory_map.h"
#include "hvd/plan/topology.h"
#include "hvd/supervision/supervisor.h"
#include "hvd/testing/fake_keeper.h"

namespace hv::hvd {

inline constexpr std::chrono::seconds kTimeout{20};

class RealServices : public testing::Test {
 protected:
  RealServices()
      : log_(open(log_path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600)) {
    config_.set_memory_bytes(64 << 20);
    plan_.name = "test";
    plan_.memory_bytes = config_.memory_bytes();
    plan_.engine = "soft";
    plan_.clock = StartClock(HostTscHz().value());
    plan_.memory_map = BuildMemoryMap(config_);
    supervisor_ = std::make_unique<Supervisor>(
        Supervisor::Parts{.loop = loop_,
                          .launcher = launcher_,
                          .segments = set_,
                          .plan = plan_,
                          .records = records_,
                          .log = log_.get(),
                          .on_event = [this](const ServiceEvent& event) { OnEvent(event); }});
  }
  ~RealServices() override {
    supervisor_.reset();
    if (HasFailure()) std::cerr << std::ifstream(log_path_).rdbuf();
  }

  void StartAll() {
    const auto started = supervisor_->Start(topology_.services);
    ASSERT_TRUE(started.ok()) << started;
    const auto ready = supervisor_->AwaitReady(kTimeout);
    ASSERT_TRUE(ready.ok()) << ready;
  }
  void OnEvent(const ServiceEvent& event) {
    std::lock_guard lock(mutex_);
    if (event.kind == hv::v1::EVENT_KIND_SERVICE_REPLACED) ++replaced_;
    if (event.kind == hv::v1::EVENT_KIND_DEGRADED) degraded_ = event.message;
    if (event.kind == hv::v1::EVENT_KIND_SERVICE_DIED) last_death_ = event.message;
    changed_.notify_all();
  }
  void AwaitReplaced(int count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kTimeout, [&] { return replaced_ >= count; }));
    EXPECT_EQ(degraded_, "");
  }
  hv::v1::ServiceStatus StatusOf(uint32_t endpoint) {
    for (auto& status : supervisor_->Status()) {
      if (status.endpoint() == endpoint) return status;
    }
    ADD_FAILURE() << "no service " << endpoint;
    return {};
  }
  // Not there at once, but without being asked for.
  void AwaitStandby(uint32_t endpoint) {
    while (StatusOf(endpoint).standby_pid() == 0) std::this_thread::yield();
  }

  const TemporaryFolder temporary_;
  const std::filesystem::path log_path_ = temporary_.path() / "log";
  UniqueFd log_;
  hv::v1::MachineConfig config_;
  Topology topology_ = PlanTopology(1);
  SegmentSet set_ = SegmentSet::Make(topology_, 64 << 20).value();
  MachinePlan plan_;
  FakeKeeper keeper_;
  MachineRecords records_{keeper_, "test"};
  EventLoop loop_;
  PosixLauncher launcher_{Executables::Beside(std::filesystem::current_path() / "hvd")};
  std::mutex mutex_;
  std::condition_variable changed_;
  int replaced_ = 0;
  std::string degraded_;
  std::string last_death_;
  std::unique_ptr<Supervisor> supervisor_;
};

}  // namespace hv::hvd
