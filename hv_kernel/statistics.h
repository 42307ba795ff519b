// Counters of one vCPU thread: exits by reason and by the service that answered. Written by that
// thread alone, read by the control thread at any time.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "abi/endpoint.h"
#include "abi/state.h"
#include "hv_kernel/engine.h"

namespace hv {

inline constexpr size_t kExitReasons = static_cast<size_t>(ExitReason::kUnsupported) + 1;

// Relaxed throughout: each counter stands for itself, nothing is ordered by it.
class Counter {
 public:
  void Add(uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

struct Statistics {
  std::array<Counter, kExitReasons> exits;      // by ExitReason
  std::array<Counter, HV_ROLE_COUNT> requests;  // answered, by role of the service
  std::array<Counter, HV_ROLE_COUNT> posted;    // posted writes, by role of the service
  Counter counted_writes;                       // of routes that have their writes counted
  Counter interrupts;                           // maskable interrupts injected
  Counter nmis;
  Counter halts_slept;                            // halts that went to sleep in the host
  std::array<Counter, HV_REFUSAL_COUNT> refused;  // cells of services, by hv_refusal
};

constexpr const char* ExitReasonName(ExitReason reason) {
  switch (reason) {
    case ExitReason::kAttention: return "attention";
    case ExitReason::kInterruptWindow: return "interrupt_window";
    case ExitReason::kPortRead: return "port_read";
    case ExitReason::kPortWrite: return "port_write";
    case ExitReason::kMmioRead: return "mmio_read";
    case ExitReason::kMmioWrite: return "mmio_write";
    case ExitReason::kMsrRead: return "msr_read";
    case ExitReason::kMsrWrite: return "msr_write";
    case ExitReason::kCr8Read: return "cr8_read";
    case ExitReason::kCr8Write: return "cr8_write";
    case ExitReason::kHalt: return "halt";
    case ExitReason::kShutdown: return "shutdown";
    case ExitReason::kUnsupported: return "unsupported";
  }
  return "unknown";
}

}  // namespace hv
