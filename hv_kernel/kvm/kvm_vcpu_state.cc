// A vCPU's making and its registers.
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "hv_kernel/kvm/counted.h"
#include "hv_kernel/kvm/cpuid_intersection.h"
#include "hv_kernel/kvm/exit_decoder.h"
#include "hv_kernel/kvm/ioctl.h"
#include "hv_kernel/kvm/kvm_vcpu.h"
#include "hv_kernel/kvm/register_state.h"
#include "hv_kernel/state_check.h"

namespace hv::kvm {
namespace {

constexpr uint64_t kPageBytes = 4096;
constexpr size_t kMaxInstructionBytes = 15;
// KVM leaves a repeated string instruction after 1,024 elements at the latest.
constexpr int kMostElements = 4096;

}  // namespace

absl::StatusOr<std::unique_ptr<KvmVcpu>> KvmVcpu::Create(const VcpuConfig& config, Vm& vm) {
  UniqueFd fd(ioctl(vm.fd.get(), KVM_CREATE_VCPU, config.index));
  if (!fd.valid()) return CallFailed("KVM_CREATE_VCPU", errno);
  auto run = RunPage::Map(fd.get(), vm.capabilities.run_page_bytes);
  if (!run.ok()) return run.status();
  auto ring = DirtyRing::Map(fd.get(), vm.dirty_ring_bytes);
  if (!ring.ok()) return ring.status();
  if (vm.capabilities.late_memory) {
    if (auto status = vm.late_writes.Map(fd.get()); !status.ok()) return status;
  }
  return std::unique_ptr<KvmVcpu>(
      new KvmVcpu(config, vm, std::move(fd), *std::move(run), *std::move(ring)));
}

KvmVcpu::KvmVcpu(const VcpuConfig& config, Vm& vm, UniqueFd fd, RunPage run, DirtyRing ring)
    : config_(config),
      vm_(vm),
      fd_(std::move(fd)),
      run_(std::move(run)),
      ring_(std::move(ring)),
      gate_(*run_, *config.attention, config.inside) {
  vm_.late_writes.AddGate(gate_);
}

KvmVcpu::~KvmVcpu() { vm_.late_writes.RemoveGate(gate_); }

// With the first state: the table is filled after the vCPU was made.
absl::Status KvmVcpu::SetCpuid() {
  const auto shown = IntersectCpuid(config_.cpuid, vm_.supported_cpuid, config_.apic_id);
  Counted<CpuidHead, kvm_cpuid_entry2, HV_MAX_CPUID_ENTRIES> table;
  table.head().nent = static_cast<uint32_t>(std::min<size_t>(shown.size(), HV_MAX_CPUID_ENTRIES));
  std::copy_n(shown.begin(), table.head().nent, table.entries());
  if (auto status = Call(fd_.get(), kSetCpuid2, "KVM_SET_CPUID2", &table.head()); !status.ok()) {
    return status;
  }
  xsave_ = HasXsave(shown);
  cpuid_set_ = true;
  return absl::OkStatus();
}

absl::Status KvmVcpu::SetTscOffset() {
  kvm_device_attr attribute{};
  attribute.group = KVM_VCPU_TSC_CTRL;
  attribute.attr = KVM_VCPU_TSC_OFFSET;
  attribute.addr = reinterpret_cast<uint64_t>(&tsc_offset_);
  return HV_KVM_CALL(fd_.get(), KVM_SET_DEVICE_ATTR, &attribute);
}

uint64_t KvmVcpu::GuestTsc() const { return __builtin_ia32_rdtsc() + tsc_offset_; }

// What is in flight ends without anybody's answer.
void KvmVcpu::Abandon() {
  transfer_ = {};
  answer_due_ = false;
  for (int i = 0; i < kMostElements; ++i) {
    unsettled_ = unsettled_ || exit_waits_;
    exit_waits_ = false;
    if (Settle()) break;
  }
}

void KvmVcpu::CollectDirty() { NoteCollected(ring_.Collect(vm_.slots, vm_.dirty_log)); }

void KvmVcpu::NoteCollected(bool all) {
  if (!all) vm_.ring_overflows.fetch_add(1, std::memory_order_relaxed);
  if (vm_.ring_overflows.load(std::memory_order_relaxed) == 0) return;
  if (vm_.logs_writes && vm_.dirty_log != nullptr) vm_.slots.MarkAll(vm_.dirty_log);
}

absl::Status KvmVcpu::SetState(const hv_vcpu_state& state) {
  if (auto status = CheckState(state); !status.ok()) return status;
  Abandon();
  if (!cpuid_set_) {
    if (auto status = SetCpuid(); !status.ok()) return status;
  }
  const bool boot_cpu = config_.index == 0;
  if (auto status = StoreRegisters(fd_.get(), state, boot_cpu, xsave_, vm_.msrs); !status.ok()) {
    return status;
  }
  tsc_offset_ = state.tsc_offset;
  tsc_adjust_ = state.tsc_adjust;
  if (auto status = SetTscOffset(); !status.ok()) return status;
  run_->cr8 = cr8_ = state.cr8;
  halted_ = state.activity == HV_ACTIVITY_HALTED;
  shut_down_ = false;
  unsettled_ = true;  // the run page's flags are those of the old state
  return absl::OkStatus();
}

void KvmVcpu::GetState(hv_vcpu_state& state) const {
  (void)Settle();
  state = {};
  LoadRegisters(fd_.get(), state, vm_.msrs);
  state.tsc_offset = tsc_offset_;
  state.tsc_adjust = tsc_adjust_;
  state.activity = halted_ ? HV_ACTIVITY_HALTED : HV_ACTIVITY_RUNNING;
}

size_t KvmVcpu::FetchCode(uint8_t* bytes, size_t most) const {
  kvm_regs regs;
  kvm_sregs sregs;
  if (ioctl(fd_.get(), KVM_GET_REGS, &regs) != 0) return 0;
  if (ioctl(fd_.get(), KVM_GET_SREGS, &sregs) != 0) return 0;
  const uint64_t linear = (sregs.cs.l != 0 ? 0 : sregs.cs.base) + regs.rip;
  for (size_t i = 0; i < most;) {
    kvm_translation translation{};
    translation.linear_address = linear + i;
    uint64_t offset;
    if (ioctl(fd_.get(), KVM_TRANSLATE, &translation) != 0 || translation.valid == 0 ||
        !vm_.slots.Find(translation.physical_address, offset)) {
      return i;
    }
    const size_t in_page = kPageBytes - (linear + i) % kPageBytes;
    const size_t count = std::min(in_page, most - i);
    std::memcpy(bytes + i, vm_.ram.data() + offset, count);
    i += count;
  }
  return most;
}

std::string KvmVcpu::BytesAtRip() const {
  uint8_t bytes[kMaxInstructionBytes];
  return std::string(reinterpret_cast<const char*>(bytes), FetchCode(bytes, sizeof(bytes)));
}

std::string KvmVcpu::Describe() const {
  std::string text = failure_ != 0 ? absl::StrCat("KVM_RUN: ", std::strerror(failure_))
                                   : absl::StrCat("left KVM with ", DescribeExit(*run_));
  kvm_regs regs{};
  kvm_sregs sregs{};
  ioctl(fd_.get(), KVM_GET_REGS, &regs);
  ioctl(fd_.get(), KVM_GET_SREGS, &sregs);
  absl::StrAppendFormat(&text, "; code at %04x:%016x, CPL %d, bytes", sregs.cs.selector, regs.rip,
                        sregs.ss.dpl);
  for (const char byte : BytesAtRip()) {
    absl::StrAppendFormat(&text, " %02x", static_cast<uint8_t>(byte));
  }
  return text;
}

}  // namespace hv::kvm
