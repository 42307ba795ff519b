#include "hv_kernel/kvm/msr_filter.h"

#include <linux/kvm.h>

#include <iterator>

#include "hv_kernel/kvm/ioctl.h"
#include "hv_kernel/msr.h"

namespace hv::kvm {
namespace {

constexpr uint32_t kReadAndWrite = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE;

struct Range {
  uint32_t access;
  uint32_t first;
  uint32_t count;  // at most 8
};

constexpr Range kKeptInKvm[] = {
    {KVM_MSR_FILTER_READ, kTsc, 1}, {kReadAndWrite, kSysenterCs, 3}, {kReadAndWrite, kPat, 1},
    {kReadAndWrite, kEfer, 5},      {kReadAndWrite, kFsBase, 4},
};
static_assert(std::size(kKeptInKvm) <= KVM_MSR_FILTER_MAX_RANGES);

}  // namespace

bool KeptByEngine(uint32_t index) {
  if (index == kTscAdjust) return true;
  for (const Range& range : kKeptInKvm) {
    if (index >= range.first && index - range.first < range.count) return true;
  }
  return false;
}

absl::Status InstallMsrFilter(int vm_fd) {
  kvm_enable_cap leave{};
  leave.cap = KVM_CAP_X86_USER_SPACE_MSR;
  // Unknown and invalid too: a filter does not reach the x2APIC's registers (0x800 to 0x8ff), which
  // KVM refuses for want of an APIC of its own.
  leave.args[0] =
      KVM_MSR_EXIT_REASON_FILTER | KVM_MSR_EXIT_REASON_UNKNOWN | KVM_MSR_EXIT_REASON_INVAL;
  if (auto status = HV_KVM_CALL(vm_fd, KVM_ENABLE_CAP, &leave); !status.ok()) return status;
  uint8_t all = 0xff;
  kvm_msr_filter filter{};
  filter.flags = KVM_MSR_FILTER_DEFAULT_DENY;
  for (size_t i = 0; i < std::size(kKeptInKvm); ++i) {
    filter.ranges[i] = {.flags = kKeptInKvm[i].access,
                        .nmsrs = kKeptInKvm[i].count,
                        .base = kKeptInKvm[i].first,
                        .bitmap = &all};
  }
  return HV_KVM_CALL(vm_fd, KVM_X86_SET_MSR_FILTER, &filter);
}

}  // namespace hv::kvm
