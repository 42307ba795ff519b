// Runs code on the host CPU itself.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "hv_kernel/soft/differential/machine_state.h"

namespace hv::soft::differential {

// Owns the arena and the code area of this process. One at a time. The signals that exceptions
// become, the signal stack and the GS base are borrowed for each run alone: the engine has them
// otherwise.
class NativeRunner {
 public:
  NativeRunner();
  ~NativeRunner();
  NativeRunner(const NativeRunner&) = delete;
  NativeRunner& operator=(const NativeRunner&) = delete;

  // The code area, to be filled before Run().
  std::span<uint8_t> code();

  // Runs from state.rip, which lies in the code area, until the first exception. `memory` is what
  // the arena holds at the start.
  Ending Run(const MachineState& state, std::span<const uint8_t> memory);

 private:
  std::unique_ptr<uint8_t[]> signal_stack_;
};

}  // namespace hv::soft::differential
