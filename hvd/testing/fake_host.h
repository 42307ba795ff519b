// What tests of hvd's machines stand on: a runtime folder of their own with a kernel file in it,
// fake parts, and a registry that makes machines of them.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "base/temporary_folder.h"
#include "hvd/host/event_loop.h"
#include "hvd/host/runtime_folder.h"
#include "hvd/machine/machine_registry.h"
#include "hvd/streams/event_bus.h"
#include "hvd/testing/fake_keeper.h"
#include "hvd/testing/fake_world.h"

namespace hv::hvd {

class FakeHost : public testing::Test {
 protected:
  FakeHost() {
    std::ofstream(path_ + "/kernel") << "not really";
    config_.set_name("vm");
    config_.set_kernel(path_ + "/kernel");
    config_.set_memory_bytes(16 << 20);
    // Who else may is in machine_paging_test.
    config_.set_paging("host");
    // Of each name one part lives; what waits to take over is in standby_test and
    // real_services_test.
    config_.set_no_standby(true);
  }

  World world() {
    return {.loop = loop_,
            .launcher = launcher_,
            .loader = loader_,
            .events = events_,
            .folder = folder_,
            .keeper = keeper_,
            .tsc_hz = 1'000'000'000};
  }

  const TemporaryFolder temporary_;
  const std::string path_ = temporary_.path();
  RuntimeFolder folder_ = RuntimeFolder::Open(path_).value();
  EventBus events_;
  EventLoop loop_;
  FakeKeeper keeper_;
  FakeLauncher launcher_;
  FakeLoader loader_;
  hv::v1::MachineConfig config_;
  MachineRegistry registry_{world()};
};

}  // namespace hv::hvd
