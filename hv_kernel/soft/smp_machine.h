// A machine of several vCPUs in 64-bit mode with identity-mapped RAM, each to run on its own
// thread.
#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <thread>
#include <vector>

#include "hv_kernel/soft/soft_engine.h"
#include "hv_kernel/soft/test_machine.h"
#include "hv_kernel/soft/watchdog.h"

namespace hv::soft {

class SmpMachine {
 public:
  static constexpr uint64_t kRamBytes = 16 << 20;
  static constexpr uint64_t kTables = 0x1000;  // PML4, PDPT, PD: the first GiB in 2 MiB pages
  static constexpr uint64_t kStacks = 0xf00000;

  explicit SmpMachine(size_t vcpus)
      : ram_(static_cast<std::byte*>(
            mmap(nullptr, kRamBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))),
        engine_(CreateSoftEngine({.code_bytes = 8 << 20}).value()) {
    Put<uint64_t>(kTables, (kTables + 0x1000) | 7);
    Put<uint64_t>(kTables + 0x1000, (kTables + 0x2000) | 7);
    for (uint64_t i = 0; i < 512; ++i) Put<uint64_t>(kTables + 0x2000 + i * 8, i << 21 | 0xe7);
    const hv_memory_slot slot{.address = 0, .bytes = kRamBytes};
    if (!engine_->SetMemory({&slot, 1}, {ram_, kRamBytes}, nullptr).ok()) std::abort();
    for (size_t i = 0; i < vcpus; ++i) {
      vcpus_.push_back(engine_->CreateVcpu({.attention = &attention_, .cpuid = {}}).value());
    }
  }
  ~SmpMachine() {
    vcpus_.clear();
    munmap(ram_, kRamBytes);
  }
  SmpMachine(const SmpMachine&) = delete;

  template <typename T>
  void Put(uint64_t physical, T value) {
    std::memcpy(ram_ + physical, &value, sizeof(value));
  }
  template <typename T>
  T Get(uint64_t physical) const {
    T value;
    std::memcpy(&value, ram_ + physical, sizeof(value));
    return value;
  }
  void Load(uint64_t physical, std::initializer_list<uint8_t> bytes) {
    std::memcpy(ram_ + physical, bytes.begin(), bytes.size());
  }
  std::byte* ram() { return ram_; }
  VcpuEngine& vcpu(size_t vcpu) { return *vcpus_[vcpu]; }

  // To the HLT, from `rip`; false: it stopped for another reason. The state at the end.
  bool Run(size_t vcpu, uint64_t rip, hv_vcpu_state& state) {
    state = TestMachine::LongMode();
    state.cr3 = kTables;
    state.rip = rip;
    state.gpr[HV_RSP] = kStacks + vcpu * 0x10000 + 0x8000;
    if (!vcpus_[vcpu]->SetState(state).ok()) return false;
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
  std::byte* ram_;
  std::unique_ptr<Engine> engine_;
  std::atomic<uint32_t> attention_{0};
  Watchdog watchdog_{attention_};
  std::vector<std::unique_ptr<VcpuEngine>> vcpus_;
};

}  // namespace hv::soft
