// Counts what a stretch of code is not supposed to do: allocate, call the system, be switched away.
#pragma once

#include <cstdint>

namespace hv {

struct Costs {
  uint64_t allocations = 0;
  // Stretches in which at least one system call was made.
  uint64_t stretches_with_calls = 0;
  // The number of the first such call; -1 when there was none.
  int64_t first_call = -1;
  uint64_t sleeps = 0;       // voluntary context switches
  uint64_t preemptions = 0;  // involuntary ones
};

// One a thread. Allocations are counted by replaced operators new; system calls are caught by the
// kernel's syscall user dispatch (PR_SET_SYSCALL_USER_DISPATCH), which turns the first one of a
// stretch into a SIGSYS and lets the rest pass.
class CostWatch {
 public:
  CostWatch();

  void Begin();
  void End();
  const Costs& costs() const { return costs_; }
  // False: this kernel has no syscall user dispatch, and system calls were not looked at.
  bool sees_calls() const { return sees_calls_; }

 private:
  Costs costs_;
  uint64_t allocations_before_ = 0;
  uint64_t sleeps_before_ = 0;
  uint64_t preemptions_before_ = 0;
  bool sees_calls_;
};

}  // namespace hv
