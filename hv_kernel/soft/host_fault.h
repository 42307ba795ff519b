// Host signals raised by generated code: division errors, floating-point exceptions, misaligned
// vector accesses, instructions the host does not have. Each becomes an exception of the guest.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "hv_kernel/soft/cpu.h"
#include "hv_kernel/soft/translate/leave_site.h"

namespace hv::soft {

// Where the calling thread's generated code lies and how it is left.
struct FaultContext {
  Cpu* cpu = nullptr;
  uint64_t code_begin = 0;
  uint64_t code_end = 0;
  uint64_t leave = 0;  // trampoline

  friend bool operator==(const FaultContext&, const FaultContext&) = default;
};

// Installs the handlers, once a process. A signal from anywhere but generated code does what it did
// before.
absl::Status InstallFaultHandlers();

namespace internal {
// Programs alone have engines, no shared library: reached without a call.
[[gnu::tls_model("initial-exec")]] extern constinit thread_local FaultContext fault_context;
}  // namespace internal

// Whether `context` is the calling thread's. Not by the Cpu alone: a new vCPU may have got the
// memory of one that is gone.
inline bool IsBound(const FaultContext& context) { return internal::fault_context == context; }
// Makes `context` the calling thread's, and its GS base the Cpu; gives the thread a signal stack.
void BindThread(const FaultContext& context);

// The guest's exception for a host's one (SDM vol. 3, 6.15): `trap` is its vector as the host's
// kernel noted it.
Vector VectorOfSignal(int signal, int trap);

}  // namespace hv::soft
