#include "base/cost_watch.h"

#include <linux/prctl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cstdlib>
#include <new>

namespace {

thread_local uint64_t allocations = 0;

// The selector byte of syscall user dispatch: read by the kernel at each system call of the thread.
thread_local volatile char selector = SYSCALL_DISPATCH_FILTER_ALLOW;
thread_local volatile int64_t caught_call = -1;

// The call that is caught does not happen; it is repeated by whoever made it, or was a sleep that
// may return early. Every call on the paths measured here is a futex wait or wake.
void OnSystemCall(int, siginfo_t* info, void*) {
  selector = SYSCALL_DISPATCH_FILTER_ALLOW;
  caught_call = info->si_syscall;
}

}  // namespace

void* operator new(size_t bytes) {
  ++allocations;
  void* memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) std::abort();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace hv {

CostWatch::CostWatch() {
  struct sigaction action = {};
  action.sa_sigaction = OnSystemCall;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSYS, &action, nullptr);
  sees_calls_ = prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0, 0, &selector) == 0;
}

void CostWatch::Begin() {
  rusage usage;
  getrusage(RUSAGE_THREAD, &usage);
  sleeps_before_ = static_cast<uint64_t>(usage.ru_nvcsw);
  preemptions_before_ = static_cast<uint64_t>(usage.ru_nivcsw);
  allocations_before_ = allocations;
  caught_call = -1;
  if (sees_calls_) selector = SYSCALL_DISPATCH_FILTER_BLOCK;
}

void CostWatch::End() {
  selector = SYSCALL_DISPATCH_FILTER_ALLOW;
  costs_.allocations += allocations - allocations_before_;
  if (caught_call >= 0) {
    ++costs_.stretches_with_calls;
    if (costs_.first_call < 0) costs_.first_call = caught_call;
  }
  rusage usage;
  getrusage(RUSAGE_THREAD, &usage);
  costs_.sleeps += static_cast<uint64_t>(usage.ru_nvcsw) - sleeps_before_;
  costs_.preemptions += static_cast<uint64_t>(usage.ru_nivcsw) - preemptions_before_;
}

}  // namespace hv
