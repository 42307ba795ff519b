#include "hvd/host/time_slice.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace hv::hvd {
namespace {

// struct sched_attr of sched_setattr(2), in its first version. The header that has it and <sched.h>
// cannot both be included.
struct SchedulingAttributes {
  uint32_t bytes;
  uint32_t policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime_ns;  // under SCHED_OTHER: the slice
  uint64_t deadline_ns;
  uint64_t period_ns;
};
static_assert(sizeof(SchedulingAttributes) == 48);

}  // namespace

void AskForTimeSlice(pid_t thread, std::chrono::nanoseconds slice) {
  SchedulingAttributes attributes{};
  if (syscall(SYS_sched_getattr, thread, &attributes, sizeof(attributes), 0) != 0) return;
  if (attributes.policy != SCHED_OTHER) return;
  attributes.runtime_ns = static_cast<uint64_t>(slice.count());
  syscall(SYS_sched_setattr, thread, &attributes, 0);
}

}  // namespace hv::hvd
