// A machine of one vCPU in 64-bit mode with identity-mapped RAM, for tests of the engine through
// its public interface.
#pragma once

#include <atomic>
#include <initializer_list>
#include <memory>
#include <string_view>

#include "hv_kernel/soft/test_memory.h"

namespace hv::soft {

class TestMachine : public TestMemory {
 public:
  static constexpr uint64_t kCode = 0x100000;
  static constexpr uint64_t kData = 0x200000;
  static constexpr uint64_t kStack = 0x300000;  // grows down from here

  TestMachine() : vcpu_(engine().CreateVcpu({.attention = &attention, .cpuid = {}}).value()) {
    Begin();
  }
  // On another engine, whose guest sees `cpuid`, which outlives the machine.
  TestMachine(std::unique_ptr<Engine> on, std::span<const hv_cpuid_entry> cpuid)
      : TestMemory(std::move(on)),
        vcpu_(engine().CreateVcpu({.attention = &attention, .cpuid = cpuid}).value()) {
    Begin();
  }

  void LoadCode(std::initializer_list<uint8_t> bytes) {
    Load(kCode, {bytes.begin(), bytes.size()});
  }

  // The registers the next Run starts from, and the last one ended with.
  hv_vcpu_state& state() { return *state_; }
  uint64_t& gpr(hv_gpr reg) { return state_->gpr[reg]; }

  Exit Run() {
    Require(vcpu_->SetState(*state_));
    const Exit exit = vcpu_->Run();
    vcpu_->GetState(*state_);
    return exit;
  }
  // Goes on without touching the registers.
  Exit Continue() {
    const Exit exit = vcpu_->Run();
    vcpu_->GetState(*state_);
    return exit;
  }
  // 0: there is none of that name.
  uint64_t Counter(std::string_view name) const {
    for (const auto& counter : engine().Counters()) {
      if (counter.name == name) return counter.value;
    }
    return 0;
  }
  VcpuEngine& vcpu() { return *vcpu_; }

  std::atomic<uint32_t> attention{0};

 private:
  void Begin() {
    state_->rip = kCode;
    state_->gpr[HV_RSP] = kStack;
  }
  static void Require(const absl::Status& status) {
    if (!status.ok()) std::abort();
  }

  std::unique_ptr<VcpuEngine> vcpu_;
  std::unique_ptr<hv_vcpu_state> state_ = std::make_unique<hv_vcpu_state>(LongMode());
};

}  // namespace hv::soft
