// All registers of a vCPU into KVM and out of it.
#include <algorithm>
#include <cstring>
#include <iterator>

#include "base/check.h"
#include "hv_kernel/kvm/counted.h"
#include "hv_kernel/kvm/ioctl.h"
#include "hv_kernel/kvm/msr_filter.h"
#include "hv_kernel/kvm/register_state.h"
#include "hv_kernel/msr.h"

namespace hv::kvm {
namespace {

struct MsrField {
  uint32_t index;
  uint64_t hv_vcpu_state::*field;
};
constexpr MsrField kMsrs[] = {
    {kSysenterCs, &hv_vcpu_state::sysenter_cs},
    {kSysenterEsp, &hv_vcpu_state::sysenter_esp},
    {kSysenterEip, &hv_vcpu_state::sysenter_eip},
    {kPat, &hv_vcpu_state::pat},
    {kStar, &hv_vcpu_state::star},
    {kLstar, &hv_vcpu_state::lstar},
    {kCstar, &hv_vcpu_state::cstar},
    {kSfmask, &hv_vcpu_state::sfmask},
    {kKernelGsBase, &hv_vcpu_state::kernel_gs_base},
    {kTscAux, &hv_vcpu_state::tsc_aux},
};
constexpr size_t kMsrCount = std::size(kMsrs);

using MsrBatch = Counted<MsrsHead, kvm_msr_entry, kMsrCount>;

bool Contains(std::span<const uint32_t> all, uint32_t one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

absl::Status StoreMsrs(int fd, const hv_vcpu_state& state, std::span<const uint32_t> present) {
  MsrBatch batch;
  for (const MsrField& msr : kMsrs) {
    const uint64_t value = state.*msr.field;
    if (Contains(present, msr.index)) {
      batch.entries()[batch.head().nmsrs++] = {.index = msr.index, .reserved = 0, .data = value};
    } else if (value != 0) {
      return absl::InvalidArgumentError(absl::StrCat("vCPU state: MSR 0x", absl::Hex(msr.index),
                                                     " = 0x", absl::Hex(value),
                                                     ", and this KVM does not have it"));
    }
  }
  const int done = ioctl(fd, kSetMsrs, &batch.head());
  if (done == static_cast<int>(batch.head().nmsrs)) return absl::OkStatus();
  if (done < 0) return CallFailed("KVM_SET_MSRS", errno);
  const kvm_msr_entry& refused = batch.entries()[done];
  return absl::InvalidArgumentError(absl::StrCat("vCPU state: MSR 0x", absl::Hex(refused.index),
                                                 " = 0x", absl::Hex(uint64_t{refused.data}),
                                                 " is not possible"));
}

void LoadMsrs(int fd, hv_vcpu_state& state, std::span<const uint32_t> present) {
  MsrBatch batch;
  const MsrField* fields[kMsrCount];
  for (const MsrField& msr : kMsrs) {
    if (!Contains(present, msr.index)) continue;
    fields[batch.head().nmsrs] = &msr;
    batch.entries()[batch.head().nmsrs++].index = msr.index;
  }
  const int done = ioctl(fd, kGetMsrs, &batch.head());
  for (int i = 0; i < done; ++i) state.*fields[i]->field = batch.entries()[i].data;
}

absl::Status StoreXcr0(int fd, uint64_t value) {
  kvm_xcrs xcrs{};
  xcrs.nr_xcrs = 1;
  xcrs.xcrs[0].value = value;
  return HV_KVM_CALL(fd, KVM_SET_XCRS, &xcrs);
}

}  // namespace

absl::Status StoreRegisters(int fd, const hv_vcpu_state& state, bool boot_cpu, bool xsave,
                            std::span<const uint32_t> msrs) {
  if (!xsave && state.xcr0 != 1) {
    return absl::InvalidArgumentError(absl::StrCat("vCPU state: XCR0 = 0x", absl::Hex(state.xcr0),
                                                   ", and this KVM's guests have no XSAVE"));
  }
  const kvm_sregs sregs = ToSregs(state, boot_cpu);
  if (auto status = HV_KVM_CALL(fd, KVM_SET_SREGS, &sregs); !status.ok()) return status;
  const kvm_regs regs = ToRegs(state);
  if (auto status = HV_KVM_CALL(fd, KVM_SET_REGS, &regs); !status.ok()) return status;
  if (xsave) {
    if (auto status = StoreXcr0(fd, state.xcr0); !status.ok()) return status;
  }
  const XsaveArea extended = ToXsave(state);
  if (auto status = Call(fd, kSetXsave, "KVM_SET_XSAVE", &extended); !status.ok()) return status;
  if (auto status = StoreMsrs(fd, state, msrs); !status.ok()) return status;
  const kvm_debugregs debug = ToDebugRegs(state);
  if (auto status = HV_KVM_CALL(fd, KVM_SET_DEBUGREGS, &debug); !status.ok()) return status;
  // Last: setting registers drops and makes events.
  const kvm_vcpu_events events = ToEvents(state);
  return HV_KVM_CALL(fd, KVM_SET_VCPU_EVENTS, &events);
}

void LoadRegisters(int fd, hv_vcpu_state& state, std::span<const uint32_t> msrs) {
  kvm_regs regs;
  CHECK(ioctl(fd, KVM_GET_REGS, &regs) == 0);
  FromRegs(regs, state);
  kvm_sregs sregs;
  CHECK(ioctl(fd, KVM_GET_SREGS, &sregs) == 0);
  FromSregs(sregs, state);
  kvm_debugregs debug;
  CHECK(ioctl(fd, KVM_GET_DEBUGREGS, &debug) == 0);
  FromDebugRegs(debug, state);
  kvm_vcpu_events events;
  CHECK(ioctl(fd, KVM_GET_VCPU_EVENTS, &events) == 0);
  FromEvents(events, state);
  XsaveArea xsave;
  CHECK(ioctl(fd, kGetXsave, &xsave) == 0);
  std::memcpy(state.xsave, xsave.region, sizeof(state.xsave));
  kvm_xcrs xcrs{};
  CHECK(ioctl(fd, KVM_GET_XCRS, &xcrs) == 0);
  state.xcr0 = xcrs.nr_xcrs > 0 ? xcrs.xcrs[0].value : 1;
  LoadMsrs(fd, state, msrs);
}

}  // namespace hv::kvm
