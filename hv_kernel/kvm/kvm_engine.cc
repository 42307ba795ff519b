#include "hv_kernel/kvm/kvm_engine.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <mutex>

#include "hv_kernel/kvm/counted.h"
#include "hv_kernel/kvm/cpuid_intersection.h"
#include "hv_kernel/kvm/entry_gate.h"
#include "hv_kernel/kvm/ioctl.h"
#include "hv_kernel/kvm/kvm_vcpu.h"
#include "hv_kernel/kvm/msr_filter.h"
#include "hv_kernel/slot_check.h"

namespace hv::kvm {
namespace {

// So many pages a vCPU between two exits, but for some hundred that KVM keeps free; a full ring
// costs an exit, no page.
constexpr uint32_t kDirtyRingBytes = 2048 * sizeof(kvm_dirty_gfn);
constexpr uint32_t kMostMsrs = 1024;
// Where Intel's KVM may want four pages for real mode: where a PC has firmware and hv has nothing.
constexpr uint64_t kIdentityMap = 0xfffbc000, kTaskState = 0xfffbd000;
// Not KVM_X86_QUIRK_CD_NW_CLEARED: a guest that leaves caches off, as they are after reset, would
// run without on AMD.
constexpr uint64_t kQuirksOff = KVM_X86_QUIRK_OUT_7E_INC_RIP | KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT |
                                KVM_X86_QUIRK_FIX_HYPERCALL_INSN |
                                KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS;

class KvmEngine final : public Engine {
 public:
  explicit KvmEngine(std::unique_ptr<Vm> vm) : owned_(std::move(vm)), vm_(*owned_) {}

  std::string_view name() const override { return "kvm"; }
  bool needs_kicks() const override { return true; }

  absl::Status SetMemory(std::span<const hv_memory_slot> slots, std::span<std::byte> ram,
                         std::atomic<uint64_t>* dirty_log) override {
    if (auto status = CheckSlots(slots, ram.size()); !status.ok()) return status;
    std::lock_guard lock(mutex_);
    // What was written so far is in the log before its pages are watched anew.
    for (KvmVcpu* vcpu : vcpus_) vcpu->CollectDirty();
    if (ioctl(vm_.fd.get(), KVM_RESET_DIRTY_RINGS, 0) < 0) {
      return CallFailed("KVM_RESET_DIRTY_RINGS", errno);
    }
    MemorySlots next;
    // A segment mapped elsewhere is another one: every slot goes and comes again.
    if (ram.data() != vm_.ram.data()) {
      if (auto status = MemorySlots::Apply(vm_.slots.Plan({}, next), vm_.fd.get(), ram.data());
          !status.ok()) {
        return status;
      }
      vm_.slots = next;
    }
    const auto changes = vm_.slots.Plan(slots, next);
    if (auto status = MemorySlots::Apply(changes, vm_.fd.get(), ram.data()); !status.ok()) {
      return status;
    }
    vm_.slots = next;
    vm_.ram = ram;
    vm_.dirty_log = dirty_log;
    vm_.logs_writes = next.logs_writes();
    return absl::OkStatus();
  }

  absl::Status SetRoutes(std::span<const hv_route> routes) override {
    const WriteZones::Plan plan = WriteZones::PlanFor(routes, vm_.capabilities);
    absl::Status status = vm_.write_zones.Apply(plan, vm_.fd.get());
    vm_.late_writes.SetActive(vm_.write_zones.any_late());
    return status;
  }
  uint64_t CountedWrites() const override { return vm_.write_zones.CountedWrites(); }

  absl::StatusOr<std::unique_ptr<VcpuEngine>> CreateVcpu(const VcpuConfig& config) override {
    auto vcpu = KvmVcpu::Create(config, vm_);
    if (!vcpu.ok()) return vcpu.status();
    std::lock_guard lock(mutex_);
    vcpus_.push_back(vcpu->get());
    return *std::move(vcpu);
  }

  std::vector<Counter> Counters() const override {
    std::lock_guard lock(mutex_);
    uint64_t entries = 0;
    for (const KvmVcpu* vcpu : vcpus_) entries += vcpu->entries();
    return {{"kvm_run", entries},
            {"dirty_ring_overflows", vm_.ring_overflows.load(std::memory_order_relaxed)},
            {"late_writes", vm_.late_writes.served()},
            {"late_writes_malformed", vm_.late_writes.malformed()},
            {"late_kicks", vm_.late_writes.watch().kicks()}};
  }

 private:
  const std::unique_ptr<Vm> owned_;
  Vm& vm_;
  mutable std::mutex mutex_;
  std::vector<KvmVcpu*> vcpus_;  // live as long as the engine: owned by the vCPU threads' loops
};

absl::StatusOr<std::vector<uint32_t>> MsrsOf(int device_fd) {
  Counted<MsrListHead, uint32_t, kMostMsrs> list;
  list.head().nmsrs = kMostMsrs;
  if (auto status = Call(device_fd, kGetMsrIndexList, "KVM_GET_MSR_INDEX_LIST", &list.head());
      !status.ok()) {
    return status;
  }
  return std::vector(list.entries(), list.entries() + list.head().nmsrs);
}

absl::Status Enable(int vm_fd, uint32_t capability, uint64_t argument) {
  kvm_enable_cap enable{};
  enable.cap = capability;
  enable.args[0] = argument;
  return HV_KVM_CALL(vm_fd, KVM_ENABLE_CAP, &enable);
}

absl::Status Prepare(Vm& vm) {
  const int fd = vm.fd.get();
  uint64_t identity_map = kIdentityMap;
  if (auto status = HV_KVM_CALL(fd, KVM_SET_IDENTITY_MAP_ADDR, &identity_map); !status.ok()) {
    return status;
  }
  if (auto status = HV_KVM_CALL(fd, KVM_SET_TSS_ADDR, kTaskState); !status.ok()) return status;
  if (auto status = InstallMsrFilter(fd); !status.ok()) return status;
  const uint64_t quirks = kQuirksOff & vm.capabilities.quirks;
  if (quirks != 0) {
    if (auto status = Enable(fd, KVM_CAP_DISABLE_QUIRKS2, quirks); !status.ok()) return status;
  }
  vm.dirty_ring_bytes = std::min(kDirtyRingBytes, std::bit_floor(vm.capabilities.dirty_ring_bytes));
  return Enable(fd, KVM_CAP_DIRTY_LOG_RING, vm.dirty_ring_bytes);
}

}  // namespace

absl::StatusOr<UniqueFd> OpenDevice() {
  UniqueFd device(open("/dev/kvm", O_RDWR | O_CLOEXEC));
  if (device.valid()) return device;
  return absl::FailedPreconditionError(
      absl::StrCat("engine kvm: /dev/kvm: ", std::strerror(errno), "; hvctl doctor says more"));
}

absl::StatusOr<std::unique_ptr<Engine>> CreateKvmEngine(const UniqueFd& device) {
  if (auto status = EntryGate::InstallHandler(); !status.ok()) return status;
  auto owned = std::make_unique<Vm>();
  Vm& vm = *owned;
  auto capabilities = CheckCapabilities(device.get());
  if (!capabilities.ok()) return capabilities.status();
  vm.capabilities = *capabilities;
  auto cpuid = SupportedCpuid(device.get());
  if (!cpuid.ok()) return cpuid.status();
  vm.supported_cpuid = *std::move(cpuid);
  auto msrs = MsrsOf(device.get());
  if (!msrs.ok()) return msrs.status();
  vm.msrs = *std::move(msrs);
  vm.fd.Reset(ioctl(device.get(), KVM_CREATE_VM, 0));
  if (!vm.fd.valid()) return CallFailed("KVM_CREATE_VM", errno);
  if (auto status = Prepare(vm); !status.ok()) return status;
  if (vm.capabilities.counted_ports) {
    if (auto status = vm.write_zones.MakeCounter(); !status.ok()) return status;
  }
  return std::make_unique<KvmEngine>(std::move(owned));
}

std::span<const uint64_t> RequestsAfterStart() {
  static constexpr uint64_t kRequests[] = {
      KVM_RUN,
      KVM_INTERRUPT,
      KVM_NMI,
      KVM_GET_REGS,
      KVM_SET_REGS,
      KVM_GET_SREGS,
      KVM_SET_SREGS,
      kGetXsave,
      kSetXsave,
      KVM_GET_XCRS,
      KVM_SET_XCRS,
      kGetMsrs,
      kSetMsrs,
      KVM_GET_DEBUGREGS,
      KVM_SET_DEBUGREGS,
      KVM_TRANSLATE,
      KVM_GET_VCPU_EVENTS,
      KVM_SET_VCPU_EVENTS,
      kSetCpuid2,
      KVM_SET_DEVICE_ATTR,
      KVM_SET_USER_MEMORY_REGION,
      KVM_RESET_DIRTY_RINGS,
      KVM_REGISTER_COALESCED_MMIO,
      KVM_UNREGISTER_COALESCED_MMIO,
      KVM_IOEVENTFD,
  };
  return kRequests;
}

}  // namespace hv::kvm
