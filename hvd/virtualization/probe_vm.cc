#include "hvd/virtualization/probe_vm.h"

#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "hvd/virtualization/kvm_call_numbers.h"
#include "hvd/virtualization/time_bound.h"

namespace hv::hvd {
namespace {

constexpr uint32_t kMostCpuidEntries = 256;  // KVM_MAX_CPUID_ENTRIES of Linux
constexpr int kWallPerCpu = 20;

absl::Status Failed(const char* call) {
  return absl::InternalError(absl::StrCat(call, ": ", std::strerror(errno)));
}

}  // namespace

absl::StatusOr<ProbeVm> ProbeVm::Make(int kvm) {
  ProbeVm vm;
  vm.vm_ = UniqueFd(ioctl(kvm, KVM_CREATE_VM, 0));
  if (!vm.vm_.valid()) return Failed("KVM_CREATE_VM");
  if (auto status = vm.MapMemory(); !status.ok()) return status;
  if (auto status = vm.MakeVcpu(kvm); !status.ok()) return status;
  if (auto status = vm.ShowCpuid(kvm); !status.ok()) return status;
  if (auto status = vm.LetSignalThrough(); !status.ok()) return status;
  return vm;
}

ProbeVm::ProbeVm(ProbeVm&& other) noexcept
    : vm_(std::move(other.vm_)),
      vcpu_(std::move(other.vcpu_)),
      memory_(std::exchange(other.memory_, {})),
      run_(std::exchange(other.run_, nullptr)),
      run_bytes_(other.run_bytes_) {}

ProbeVm::~ProbeVm() {
  if (run_ != nullptr) munmap(run_, run_bytes_);
  vcpu_.Reset();
  vm_.Reset();
  if (!memory_.empty()) munmap(memory_.data(), memory_.size());
}

absl::Status ProbeVm::MapMemory() {
  void* at =
      mmap(nullptr, kProbeMemoryBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return Failed("mmap");
  memory_ = {static_cast<std::byte*>(at), kProbeMemoryBytes};
  const kvm_userspace_memory_region region{.memory_size = kProbeMemoryBytes,
                                           .userspace_addr = reinterpret_cast<uint64_t>(at)};
  if (ioctl(vm_.get(), KVM_SET_USER_MEMORY_REGION, &region) != 0) {
    return Failed("KVM_SET_USER_MEMORY_REGION");
  }
  return absl::OkStatus();
}

absl::Status ProbeVm::MakeVcpu(int kvm) {
  vcpu_ = UniqueFd(ioctl(vm_.get(), KVM_CREATE_VCPU, 0));
  if (!vcpu_.valid()) return Failed("KVM_CREATE_VCPU");
  const int bytes = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
  if (bytes < static_cast<int>(sizeof(kvm_run))) return Failed("KVM_GET_VCPU_MMAP_SIZE");
  void* at =
      mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE, MAP_SHARED, vcpu_.get(), 0);
  if (at == MAP_FAILED) return Failed("mmap of the vCPU");
  run_ = static_cast<kvm_run*>(at);
  run_bytes_ = static_cast<size_t>(bytes);
  return absl::OkStatus();
}

// The guest sees all that KVM can show, since KVM allows it no more than it sees.
absl::Status ProbeVm::ShowCpuid(int kvm) {
  std::vector<std::byte> table(sizeof(KvmCpuidHeader) +
                               kMostCpuidEntries * sizeof(kvm_cpuid_entry2));
  const KvmCpuidHeader header{.entries = kMostCpuidEntries, .padding = 0};
  std::memcpy(table.data(), &header, sizeof(header));
  if (ioctl(kvm, kKvmGetSupportedCpuid, table.data()) != 0) {
    return Failed("KVM_GET_SUPPORTED_CPUID");
  }
  if (ioctl(vcpu_.get(), kKvmSetCpuid2, table.data()) != 0) return Failed("KVM_SET_CPUID2");
  return absl::OkStatus();
}

// In KVM_RUN TimeBound's signal alone is not blocked, so that nothing else ends a loop early.
absl::Status ProbeVm::LetSignalThrough() {
  constexpr uint64_t kBlocked = ~(uint64_t{1} << (TimeBound::kSignal - 1));
  struct {
    KvmSignalMaskHeader header{.bytes = sizeof(kBlocked)};
    uint8_t blocked[sizeof(kBlocked)];
  } mask;
  std::memcpy(mask.blocked, &kBlocked, sizeof(kBlocked));
  if (ioctl(vcpu_.get(), kKvmSetSignalMask, &mask) != 0) return Failed("KVM_SET_SIGNAL_MASK");
  return absl::OkStatus();
}

absl::Status ProbeVm::Load(ProbeCode code, uint64_t count) {
  WriteProbeGuest(code, memory_);
  kvm_sregs system{};
  if (ioctl(vcpu_.get(), KVM_GET_SREGS, &system) != 0) return Failed("KVM_GET_SREGS");
  EnterLongMode(system, code == ProbeCode::kXsave);
  if (ioctl(vcpu_.get(), KVM_SET_SREGS, &system) != 0) return Failed("KVM_SET_SREGS");
  constexpr uint64_t kX87State = 1, kFlags = 2;
  const kvm_regs general{
      .rax = kX87State, .rcx = count, .rsi = kProbeOperand, .rip = kProbeRip, .rflags = kFlags};
  if (ioctl(vcpu_.get(), KVM_SET_REGS, &general) != 0) return Failed("KVM_SET_REGS");
  return absl::OkStatus();
}

ProbeRun ProbeVm::Run(ProbeCode code, uint64_t count, std::chrono::nanoseconds cpu_bound) {
  if (auto status = Load(code, count); !status.ok()) {
    return {.detail = std::string(status.message())};
  }
  const auto bound = TimeBound::Start(cpu_bound, cpu_bound * kWallPerCpu);
  if (!bound) return {.detail = "no timer to stop the guest with"};
  if (ioctl(vcpu_.get(), KVM_RUN, 0) != 0) {
    if (errno == EINTR) return {.end = ProbeEnd::kOutOfTime};
    return {.detail = absl::StrCat("KVM_RUN: ", std::strerror(errno))};
  }
  switch (run_->exit_reason) {
    case KVM_EXIT_HLT: return {.end = ProbeEnd::kHalted};
    case KVM_EXIT_SHUTDOWN: return {.end = ProbeEnd::kShutdown};
    case KVM_EXIT_INTERNAL_ERROR: return {.end = ProbeEnd::kEmulationFailed};
    default: return {.detail = absl::StrCat("KVM_RUN: exit reason ", run_->exit_reason)};
  }
}

}  // namespace hv::hvd
