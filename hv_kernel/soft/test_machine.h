// A machine of one vCPU in 64-bit mode with identity-mapped RAM, for tests of the engine through
// its public interface.
#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "abi/vcpu_state.h"
#include "hv_kernel/soft/soft_engine.h"

namespace hv::soft {

class TestMachine {
 public:
  static constexpr uint64_t kRamBytes = 16 << 20;
  static constexpr uint64_t kTables = 0x1000;  // PML4, PDPT, PD: the first GiB in 2 MiB pages
  static constexpr uint64_t kCode = 0x100000;
  static constexpr uint64_t kData = 0x200000;
  static constexpr uint64_t kStack = 0x300000;  // grows down from here

  TestMachine()
      : ram_(static_cast<std::byte*>(
            mmap(nullptr, kRamBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))),
        engine_(CreateSoftEngine({.code_bytes = 8 << 20}).value()) {
    Poke<uint64_t>(kTables, (kTables + 0x1000) | 7);
    Poke<uint64_t>(kTables + 0x1000, (kTables + 0x2000) | 7);
    for (uint64_t i = 0; i < 512; ++i) Poke<uint64_t>(kTables + 0x2000 + i * 8, i << 21 | 0xe7);
    const hv_memory_slot slot{.address = 0, .bytes = kRamBytes};
    Require(engine_->SetMemory({&slot, 1}, {ram_, kRamBytes}, nullptr));
    vcpu_ = engine_->CreateVcpu({.attention = &attention, .cpuid = {}}).value();
    state_ = std::make_unique<hv_vcpu_state>(LongMode());
  }
  ~TestMachine() {
    vcpu_.reset();
    munmap(ram_, kRamBytes);
  }

  static hv_vcpu_state LongMode() {
    hv_vcpu_state state{};
    state.rip = kCode;
    state.gpr[HV_RSP] = kStack;
    state.rflags = 2;
    for (auto& segment : state.segment) {
      segment.limit = 0xffffffff;
      segment.selector = 0x10;
      segment.attributes = 0xc093;
    }
    state.segment[HV_CS].selector = 8;
    state.segment[HV_CS].attributes = 0xa09b;
    state.tr.attributes = 0x8b;
    state.tr.limit = 0x67;
    state.ldtr.attributes = HV_SEGMENT_UNUSABLE;
    state.cr0 = 0x80010033;
    state.cr3 = kTables;
    state.cr4 = 0x406a0;  // PAE, PGE, OSFXSR, OSXMMEXCPT, OSXSAVE
    state.efer = 0xd01;
    state.xcr0 = 7;
    state.pat = 0x0007040600070406;
    state.dr[6] = 0xffff0ff0;
    state.dr[7] = 0x400;
    const uint32_t mxcsr = 0x1f80;
    std::memcpy(state.xsave + 24, &mxcsr, sizeof(mxcsr));
    const uint16_t fcw = 0x37f;
    std::memcpy(state.xsave, &fcw, sizeof(fcw));
    return state;
  }

  template <typename T>
  void Poke(uint64_t physical, T value) {
    std::memcpy(ram_ + physical, &value, sizeof(value));
  }
  template <typename T>
  T Peek(uint64_t physical) const {
    T value;
    std::memcpy(&value, ram_ + physical, sizeof(value));
    return value;
  }
  void Load(uint64_t physical, std::span<const uint8_t> bytes) {
    std::memcpy(ram_ + physical, bytes.data(), bytes.size());
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
    for (const auto& counter : engine_->Counters()) {
      if (counter.name == name) return counter.value;
    }
    return 0;
  }
  VcpuEngine& vcpu() { return *vcpu_; }
  Engine& engine() { return *engine_; }
  std::span<std::byte> ram() { return {ram_, kRamBytes}; }

  std::atomic<uint32_t> attention{0};

 private:
  static void Require(const absl::Status& status) {
    if (!status.ok()) std::abort();
  }

  std::byte* ram_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<VcpuEngine> vcpu_;
  std::unique_ptr<hv_vcpu_state> state_;
};

}  // namespace hv::soft
