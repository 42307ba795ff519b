// Runs code as user mode of a guest on the soft engine, through the public interface alone.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "hv_kernel/engine.h"
#include "hv_kernel/soft/differential/machine_state.h"

namespace hv::soft::differential {

// A guest whose user mode looks like a process of this host's Linux: its selectors, its control
// registers as far as they can be felt, and the arena and code area where NativeRunner has them.
class GuestRunner {
 public:
  GuestRunner();

  // The code area. ForgetCode() after changing what has been run.
  std::span<uint8_t> code();
  void ForgetCode();

  // As NativeRunner::Run(). When the guest did not end in an exception, `error` says what happened.
  Ending Run(const MachineState& begin, std::span<const uint8_t> memory, std::string& error);

  // From any thread: an interrupt, soon, if user mode runs then. Its handler returns at once.
  void Interrupt() { attention_.store(1, std::memory_order_relaxed); }
  uint64_t interrupts() const { return interrupts_; }

 private:
  void BuildTables();
  void Map(uint64_t linear, uint64_t physical, size_t pages, uint64_t flags);
  void Put(uint64_t physical, uint64_t value);
  uint64_t Get(uint64_t physical) const;
  hv_vcpu_state UserState(const MachineState& from) const;

  std::vector<std::byte> memory_;  // RAM, and room to align it
  std::span<std::byte> ram_;
  uint64_t next_table_;
  uint64_t interrupts_ = 0;
  std::atomic<uint32_t> attention_{0};
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<VcpuEngine> vcpu_;
};

}  // namespace hv::soft::differential
