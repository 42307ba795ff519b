// A machine of fake parts for tests: made, started, and watched by its events.
#pragma once

#include <fcntl.h>
#include <signal.h>

#include <condition_variable>
#include <memory>
#include <mutex>

#include "hvd/machine/machine.h"
#include "hvd/testing/fake_host.h"

namespace hv::hvd {

inline constexpr int kParts = 7;  // hv_kernel and six services
inline constexpr ProcessEnd kSegv{.by_signal = true, .code = SIGSEGV};

inline hv::v1::KernelExit Exit(hv::v1::KernelStopCause cause, uint32_t value = 0) {
  hv::v1::KernelExit exit;
  exit.set_cause(cause);
  exit.set_value(value);
  return exit;
}

// How many descriptors this process has.
inline int OpenDescriptors() {
  int count = 0;
  for (int fd = 0; fd < 4096; ++fd) count += fcntl(fd, F_GETFD) >= 0;
  return count;
}

class MachineFixture : public FakeHost {
 protected:
  std::shared_ptr<Machine> Create() {
    auto machine = registry_.Create(config_);
    EXPECT_TRUE(machine.ok()) << machine.status();
    return machine.ok() ? *machine : nullptr;
  }
  std::shared_ptr<Machine> CreateAndStart() {
    auto machine = Create();
    EXPECT_TRUE(machine->Start().ok());
    return machine;
  }
  // Waits for the machine's next event of that kind (and state, for STATE events).
  hv::v1::Event AwaitEvent(hv::v1::EventKind kind,
                           hv::v1::MachineState state = hv::v1::MACHINE_STATE_UNSPECIFIED) {
    while (true) {
      hv::v1::Event event;
      std::unique_lock lock(mutex_);
      changed_.wait(lock,
                    [&] { return events_.Take(watcher_, event) == EventBus::TakeResult::kEvent; });
      if (event.kind() != kind) continue;
      if (kind != hv::v1::EVENT_KIND_STATE || event.state() == state) return event;
    }
  }
  hv::v1::MachineExit AwaitStopped() {
    return AwaitEvent(hv::v1::EVENT_KIND_STATE, hv::v1::MACHINE_STATE_STOPPED).exit();
  }
  hv::v1::MachineState StateOf(const Machine& machine) { return machine.Show().state(); }

  std::mutex mutex_;
  std::condition_variable changed_;
  EventBus::WatcherId watcher_ = events_.Watch("", nullptr, [this] {
    std::lock_guard lock(mutex_);
    changed_.notify_all();
  });
};

}  // namespace hv::hvd
