// Runs a vCPU with its extended state held in the thread's registers from exit to exit, for tests.
// Compiled to general registers alone, as the contract of VcpuEngine asks.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "hv_kernel/engine.h"

namespace hv::soft {

using Ymm = std::array<uint8_t, 32>;

// Runs until HLT, a failure, or `limit` exits; answers reads with `answer`. `between` is called at
// each exit before it is completed, with what the engine holds still held. Returns the last exit's
// reason.
ExitReason RunHeld(VcpuEngine& vcpu, uint64_t answer, int limit,
                   void (*between)(VcpuEngine& vcpu, const Exit& exit));

// What is in the thread's YMM3 now.
Ymm CurrentYmm3();
// Stores `value` as another thread would: no call, as an instrumented atomic has.
void StoreHeld(std::atomic<uint32_t>& word, uint32_t value);
// A signal to this thread, handled before the call returns.
void SignalSelf(int signal);

}  // namespace hv::soft
