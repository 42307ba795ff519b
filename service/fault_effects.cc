// Also the program's allocation functions, which fail when a fault asks for it: whoever allocates
// next finds no memory.
#include "service/fault_effects.h"

#include <immintrin.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace hv::service {
namespace {

constexpr uint64_t kNsPerSecond = 1'000'000'000;

// Relaxed: nothing else is told by it.
std::atomic<bool> out_of_memory{false};

void Delay(uint64_t ns) {
  timespec left{.tv_sec = static_cast<time_t>(ns / kNsPerSecond),
                .tv_nsec = static_cast<long>(ns % kNsPerSecond)};
  while (nanosleep(&left, &left) != 0) {
  }
}

void* Allocate(size_t bytes, size_t alignment) {
  if (out_of_memory.load(std::memory_order_relaxed)) throw std::bad_alloc();
  void* memory = nullptr;
  if (alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
    memory = std::malloc(bytes == 0 ? 1 : bytes);
  } else {
    memory = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  }
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void ProcessFaults::Fail(hv_fault_action action, uint64_t argument) {
  switch (action) {
    case HV_FAULT_ACTION_KILL: raise(SIGKILL); break;
    case HV_FAULT_ACTION_STOP: raise(SIGSTOP); break;
    case HV_FAULT_ACTION_SEGV: raise(SIGSEGV); break;
    case HV_FAULT_ACTION_ABORT: abort();
    case HV_FAULT_ACTION_EXIT: _exit(static_cast<int>(argument & 0xff));
    case HV_FAULT_ACTION_HANG:
      for (;;) _mm_pause();
    case HV_FAULT_ACTION_DELAY: Delay(argument); break;
    case HV_FAULT_ACTION_DEADLOCK:
      for (;;) Delay(kNsPerSecond);
    case HV_FAULT_ACTION_OUT_OF_MEMORY: out_of_memory.store(true, std::memory_order_relaxed); break;
    default: break;
  }
}

}  // namespace hv::service

void* operator new(size_t bytes) {
  return hv::service::Allocate(bytes, __STDCPP_DEFAULT_NEW_ALIGNMENT__);
}
void* operator new(size_t bytes, std::align_val_t alignment) {
  return hv::service::Allocate(bytes, static_cast<size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
