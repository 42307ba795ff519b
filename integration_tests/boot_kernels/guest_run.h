// A kernel run on the soft engine with a serial port and a debug-exit port and nothing else.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "abi/vcpu_state.h"

namespace hv::testing {

struct GuestRun {
  std::string printed;
  int exit_code = -1;  // what was written to the debug-exit port; -1: it ended otherwise
};

// Runs from `state` until the guest leaves. An exit that no such kernel has fails the test.
GuestRun RunGuest(const hv_vcpu_state& state, std::span<std::byte> ram);

}  // namespace hv::testing
