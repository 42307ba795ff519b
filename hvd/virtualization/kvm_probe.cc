#include "hvd/virtualization/kvm_probe.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <time.h>

#include <cerrno>

#include "base/unique_fd.h"
#include "hvd/virtualization/kvm_capabilities.h"
#include "hvd/virtualization/probe_vm.h"

namespace hv::hvd {
namespace {

// More than a loop takes at 1 MIPS (ring0_speed.h), and what a stopped one may cost at most.
constexpr std::chrono::milliseconds kLoopBound{5};
// What runs KVM's code for the first time takes longer: it has to be fetched, in an emulated
// machine translated. A KVM that cannot run an instruction says so at once.
constexpr std::chrono::milliseconds kFirstTimeBound{100};

int64_t Read(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

LoopEnd AsLoopEnd(ProbeEnd end) {
  switch (end) {
    case ProbeEnd::kHalted: return LoopEnd::kHalted;
    case ProbeEnd::kOutOfTime: return LoopEnd::kOutOfTime;
    default: return LoopEnd::kFailed;
  }
}

std::string Describe(const ProbeRun& run) {
  switch (run.end) {
    case ProbeEnd::kHalted: return "halted";
    case ProbeEnd::kShutdown: return "a loop of two instructions ended in a shutdown";
    case ProbeEnd::kEmulationFailed: return "KVM cannot run a loop of two instructions";
    case ProbeEnd::kOutOfTime: return "a loop of two instructions did not end";
    case ProbeEnd::kOther: break;
  }
  return run.detail;
}

void TryToRun(int kvm, const ProbeClocks& clocks, KvmFacts& facts) {
  auto vm = ProbeVm::Make(kvm);
  if (!vm.ok()) {
    facts.failure = std::string(vm.status().message());
    return;
  }
  ProbeRun last = vm->Run(ProbeCode::kLoop, 1, kFirstTimeBound);
  facts.speed = MeasureRing0Speed([&](uint64_t iterations) {
    const int64_t before = clocks.thread_cpu_ns();
    last = vm->Run(ProbeCode::kLoop, iterations, kLoopBound);
    return LoopRun{.end = AsLoopEnd(last.end), .cpu_ns = clocks.thread_cpu_ns() - before};
  });
  if (!facts.speed) {
    facts.failure = Describe(last);
    return;
  }
  const auto runs = [&](ProbeCode code) {
    return vm->Run(code, 0, kFirstTimeBound).end == ProbeEnd::kHalted;
  };
  facts.runs_xsave = runs(ProbeCode::kXsave);
  facts.runs_cmpxchg16b = runs(ProbeCode::kCmpxchg16b);
}

}  // namespace

ProbeClocks HostClocks() {
  return {.wall_ns = [] { return Read(CLOCK_MONOTONIC); },
          .thread_cpu_ns = [] { return Read(CLOCK_THREAD_CPUTIME_ID); }};
}

KvmFacts ProbeKvm(const std::string& device, const ProbeClocks& clocks) {
  const int64_t start = clocks.wall_ns();
  KvmFacts facts;
  const UniqueFd kvm(open(device.c_str(), O_RDWR | O_CLOEXEC));
  if (!kvm.valid()) {
    facts.open_errno = errno;
    const bool missing = errno == ENOENT || errno == ENODEV || errno == ENXIO;
    facts.device = missing ? DeviceAccess::kMissing : DeviceAccess::kDenied;
    return facts;
  }
  facts.device = DeviceAccess::kUsable;
  const int api = ioctl(kvm.get(), KVM_GET_API_VERSION, 0);
  facts.api_version = api > 0 ? api : 0;
  if (facts.api_version != KVM_API_VERSION)
    return facts;  // what it would answer means nothing known
  for (const KvmCapability& capability : KvmCapabilities()) {
    const int answer = ioctl(kvm.get(), KVM_CHECK_EXTENSION, capability.number);
    facts.extensions[capability.number] = answer > 0 ? answer : 0;
  }
  TryToRun(kvm.get(), clocks, facts);
  facts.probe_ns = clocks.wall_ns() - start;
  return facts;
}

}  // namespace hv::hvd
