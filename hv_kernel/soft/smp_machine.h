// A machine of several vCPUs in 64-bit mode with identity-mapped RAM, each to run on its own
// thread.
#pragma once

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "hv_kernel/soft/test_memory.h"
#include "hv_kernel/soft/watchdog.h"

namespace hv::soft {

class SmpMachine : public TestMemory {
 public:
  static constexpr uint64_t kStacks = 0xf00000;

  explicit SmpMachine(size_t vcpus) {
    for (size_t i = 0; i < vcpus; ++i) {
      vcpus_.push_back(engine().CreateVcpu({.attention = &attention_, .cpuid = {}}).value());
    }
  }

  VcpuEngine& vcpu(size_t vcpu) { return *vcpus_[vcpu]; }

  // To the HLT, from `rip`; false: it stopped for another reason. The state at the end.
  bool Run(size_t vcpu, uint64_t rip, hv_vcpu_state& state) {
    state = LongMode();
    state.rip = rip;
    state.gpr[HV_RSP] = kStacks + vcpu * 0x10000 + 0x8000;
    if (!vcpus_[vcpu]->SetState(state).ok()) return false;
    const Watchdog watchdog(attention_);
    const Exit exit = vcpus_[vcpu]->Run();
    vcpus_[vcpu]->GetState(state);
    return exit.reason == ExitReason::kHalt;
  }
  // All at once, vCPU i from rips[i]. False: one did not come to its HLT.
  bool RunAll(const std::vector<uint64_t>& rips, std::vector<hv_vcpu_state>& ends) {
    ends.resize(rips.size());
    std::atomic<bool> halted = true;
    std::vector<std::thread> threads;
    for (size_t i = 0; i < rips.size(); ++i) {
      threads.emplace_back([&, i] {
        if (!Run(i, rips[i], ends[i])) halted = false;
      });
    }
    for (std::thread& thread : threads) thread.join();
    return halted;
  }

 private:
  std::atomic<uint32_t> attention_{0};
  std::vector<std::unique_ptr<VcpuEngine>> vcpus_;
};

}  // namespace hv::soft
