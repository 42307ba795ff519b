// A machine of several vCPUs whose late and counted writes are gathered, whichever way they come
// out.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "abi/endpoint.h"
#include "hv_kernel/soft/test_memory.h"
#include "integration_tests/engines/engines.h"

namespace hv::engines {

// Writes in the order in which they came out. Thread-safe.
class WriteLog {
 public:
  void Add(const Exit& write) {
    std::lock_guard lock(mutex_);
    writes_.push_back(write);
    changed_.notify_all();
  }
  std::vector<Exit> all() const {
    std::lock_guard lock(mutex_);
    return writes_;
  }
  // False: after a time in which anything would have come.
  bool WaitFor(size_t writes) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20),
                             [&] { return writes_.size() >= writes; });
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::vector<Exit> writes_;
};

class LateMachine : public soft::TestMemory {
 public:
  static constexpr uint64_t kCode = 0x100000, kData = 0x200000, kStack = 0x300000;
  static constexpr uint16_t kLatePort = 0x3f8;  // to 0x3fb
  static constexpr uint16_t kCountedPort = 0x80;
  static constexpr uint64_t kLateMemory = 0x3f000000;  // 256 bytes, mapped

  class Vcpu final : public LateWriteSink {
   public:
    Vcpu(LateMachine& machine, const std::string& engine, uint32_t index) : machine_(machine) {
      engine_ = machine.engine()
                    .CreateVcpu({.index = index,
                                 .apic_id = index,
                                 .attention = &attention,
                                 .cpuid = CpuidTable(),
                                 .late_writes = this})
                    .value();
      state_->rip = kCode;
      state_->gpr[HV_RSP] = kStack + 0x1000 * index;
      FitState(engine, *state_);
    }
    void Serve(std::span<const Exit> writes, bool anyones) override {
      for (const Exit& write : writes) {
        machine_.log.Add(write);
        if (!anyones) own_.push_back(write);
      }
    }
    uint64_t& gpr(hv_gpr reg) { return state_->gpr[reg]; }
    // From the registers that were set to the first exit that is neither a late write nor a counted
    // one.
    Exit Begin() {
      EXPECT_TRUE(engine_->SetState(*state_).ok());
      return Next();
    }
    Exit Next() {
      for (;;) {
        const Exit exit = engine_->Run();
        if (IsLate(exit)) {
          machine_.log.Add(exit);
          if (at_late_exit) at_late_exit();
        } else if (exit.reason == ExitReason::kPortWrite && exit.address == kCountedPort) {
          ++machine_.counted_exits;
        } else if (exit.reason == ExitReason::kAttention && attention.load() == 0) {
          ++looks_for_nothing;  // brought out for what is late
        } else {
          return exit;
        }
      }
    }
    // What Serve was told to be this vCPU's alone.
    const std::vector<Exit>& own() const { return own_; }
    VcpuEngine& engine() { return *engine_; }

    std::atomic<uint32_t> attention{0};
    uint64_t looks_for_nothing = 0;
    std::function<void()> at_late_exit;  // where a late write left the guest as any

   private:
    static bool IsLate(const Exit& exit) {
      if (exit.reason == ExitReason::kPortWrite) return exit.address - kLatePort < 4;
      return exit.reason == ExitReason::kMmioWrite && exit.address - kLateMemory < 256;
    }

    LateMachine& machine_;
    std::unique_ptr<VcpuEngine> engine_;
    std::unique_ptr<hv_vcpu_state> state_ = std::make_unique<hv_vcpu_state>(soft::LongMode());
    std::vector<Exit> own_;
  };

  LateMachine(std::unique_ptr<Engine> on, const std::string& name, uint32_t vcpus)
      : TestMemory(std::move(on)) {
    for (uint32_t i = 0; i < vcpus; ++i) {
      vcpus_.push_back(std::make_unique<Vcpu>(*this, name, i));
    }
    EXPECT_TRUE(engine().SetRoutes(Routes()).ok());
  }
  static std::span<const hv_route> Routes() {
    constexpr uint32_t kService = HV_ENDPOINT(HV_ROLE_SERIAL, 0);
    constexpr uint16_t kLate = HV_ROUTE_POSTED_WRITES | HV_ROUTE_LATE_WRITES;
    static constexpr hv_route kRoutes[] = {
        {kCountedPort, kCountedPort, kService, HV_SPACE_PORT, HV_ROUTE_COUNTED_WRITES, 0},
        {kLatePort, kLatePort + 3, kService, HV_SPACE_PORT, kLate, 0},
        {kLateMemory, kLateMemory + 255, kService, HV_SPACE_MMIO, kLate, 0}};
    return kRoutes;
  }
  Vcpu& vcpu(size_t index = 0) { return *vcpus_[index]; }
  uint64_t CountedWrites() const { return engine().CountedWrites() + counted_exits; }
  // 0: there is none of that name.
  uint64_t Counter(std::string_view name) const {
    for (const auto& counter : engine().Counters()) {
      if (counter.name == name) return counter.value;
    }
    return 0;
  }

  WriteLog log;
  std::atomic<uint64_t> counted_exits{0};

 private:
  std::vector<std::unique_ptr<Vcpu>> vcpus_;
};

}  // namespace hv::engines
