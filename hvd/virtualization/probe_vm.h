// One small virtual machine of KVM's with one vCPU, to try things in.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "hvd/virtualization/probe_guest.h"

struct kvm_run;

namespace hv::hvd {

enum class ProbeEnd {
  kHalted,           // KVM_EXIT_HLT: the code ran to its end
  kShutdown,         // KVM_EXIT_SHUTDOWN: an exception
  kEmulationFailed,  // KVM_EXIT_INTERNAL_ERROR: KVM cannot run an instruction
  kOutOfTime,        // stopped
  kOther,
};

struct ProbeRun {
  ProbeEnd end = ProbeEnd::kOther;
  std::string detail;  // of kOther: what happened
};

// Thread rule: used by the thread that made it, as KVM asks of a vCPU.
class ProbeVm {
 public:
  // `kvm`: /dev/kvm, opened; must outlive it. Internal names the call that failed and its errno.
  static absl::StatusOr<ProbeVm> Make(int kvm);
  ProbeVm(ProbeVm&& other) noexcept;
  ProbeVm& operator=(ProbeVm&&) = delete;
  ~ProbeVm();

  // Runs `code` from its start with `count` in RCX, for `cpu_bound` of processor time at most
  // (timer ticks are all the precision there is) and 20 times that on the clock.
  ProbeRun Run(ProbeCode code, uint64_t count, std::chrono::nanoseconds cpu_bound);

 private:
  ProbeVm() = default;
  absl::Status MapMemory();
  absl::Status MakeVcpu(int kvm);
  absl::Status ShowCpuid(int kvm);
  absl::Status LetSignalThrough();
  absl::Status Load(ProbeCode code, uint64_t count);

  UniqueFd vm_, vcpu_;
  std::span<std::byte> memory_;
  kvm_run* run_ = nullptr;  // shared with KVM, which is trusted
  size_t run_bytes_ = 0;
};

}  // namespace hv::hvd
