// Runs each workload named on the command line, or all, and says on standard output when each
// begins and ends: "begin NAME", "end NAME RESULT". Who listens has the clock. As a guest's first
// process it switches the machine off in the end.
#include <sys/reboot.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "bench/workloads/compute.h"
#include "bench/workloads/kernel_calls.h"
#include "bench/workloads/parallel.h"

namespace hv::bench {
namespace {

struct Workload {
  const char* name;
  uint64_t (*run)(uint32_t times);
  uint32_t times;  // some 0.2 s on a CPU of 2022
};

constexpr Workload kWorkloads[] = {
    {"sha256", Sha256, 800},        {"sort", Sort, 35},
    {"interpret", Interpret, 30},   {"nbody", NBody, 175},
    {"multiply", Multiply, 400},    {"chase", ChasePointers, 12},
    {"syscall", CallKernel, 150},   {"fault", TouchPages, 240},
    {"switch", PassToken, 100},     {"exec", ForkAndExec, 30},
    {"pipe", CopyThroughPipe, 480}, {"alone", Alone, 4000},
    {"together", Together, 4000},
};

void Run(const Workload& workload) {
  std::printf("begin %s\n", workload.name);
  std::fflush(stdout);
  const uint64_t result = workload.run(workload.times);
  std::printf("end %s %016lx\n", workload.name, result);
  std::fflush(stdout);
}

}  // namespace
}  // namespace hv::bench

int main(int count, char** arguments) {
  if (count == 2 && std::strcmp(arguments[1], hv::bench::kNothing) == 0) return 0;
  hv::bench::SetSelf(arguments[0]);
  for (const hv::bench::Workload& workload : hv::bench::kWorkloads) {
    bool wanted = count == 1;
    for (int i = 1; i < count; ++i) wanted |= std::strcmp(arguments[i], workload.name) == 0;
    if (wanted) hv::bench::Run(workload);
  }
  if (getpid() == 1) reboot(RB_POWER_OFF);
  return 0;
}
