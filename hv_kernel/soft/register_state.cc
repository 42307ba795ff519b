#include "hv_kernel/soft/register_state.h"

#include <cstring>

#include "hv_kernel/state_check.h"

namespace hv::soft {
namespace {

constexpr uint64_t kSupportedXstate = 7;
constexpr uint32_t kXstateAt = 512;
constexpr uint32_t kXstateHeaderBytes = 64;
constexpr uint64_t kAlwaysOne = 2;

}  // namespace

void SaveRegisters(const Cpu& cpu, hv_vcpu_state& state) {
  state = {};
  std::memcpy(state.gpr, cpu.gpr, sizeof(state.gpr));
  state.rip = cpu.rip;
  state.rflags = cpu.rflags | kAlwaysOne;
  std::memcpy(state.segment, cpu.segment, sizeof(state.segment));
  state.ldtr = cpu.ldtr;
  state.tr = cpu.tr;
  state.gdtr = cpu.gdtr;
  state.idtr = cpu.idtr;
  state.cr0 = cpu.cr0;
  state.cr2 = cpu.cr2;
  state.cr3 = cpu.cr3;
  state.cr4 = cpu.cr4;
  state.cr8 = cpu.cr8;
  std::memcpy(state.dr, cpu.dr, sizeof(state.dr));
  state.xcr0 = cpu.xcr0;
  state.efer = cpu.efer;
  state.star = cpu.star;
  state.lstar = cpu.lstar;
  state.cstar = cpu.cstar;
  state.sfmask = cpu.sfmask;
  state.kernel_gs_base = cpu.kernel_gs_base;
  state.sysenter_cs = cpu.sysenter_cs;
  state.sysenter_esp = cpu.sysenter_esp;
  state.sysenter_eip = cpu.sysenter_eip;
  state.pat = cpu.pat;
  state.tsc_aux = cpu.tsc_aux;
  state.tsc_offset = cpu.tsc_offset;
  state.tsc_adjust = cpu.tsc_adjust;
  state.activity = cpu.halted ? HV_ACTIVITY_HALTED : HV_ACTIVITY_RUNNING;
  state.interrupt_shadow = cpu.interrupt_shadow;
  state.nmi_blocked = cpu.nmi_blocked;
  std::memcpy(state.xsave, cpu.xsave, sizeof(state.xsave));
}

absl::Status LoadRegisters(const hv_vcpu_state& state, Cpu& cpu) {
  if (auto status = CheckState(state); !status.ok()) return status;
  std::memcpy(cpu.gpr, state.gpr, sizeof(cpu.gpr));
  cpu.rip = state.rip;
  cpu.rflags = state.rflags | kAlwaysOne;
  std::memcpy(cpu.segment, state.segment, sizeof(cpu.segment));
  cpu.ldtr = state.ldtr;
  cpu.tr = state.tr;
  cpu.gdtr = state.gdtr;
  cpu.idtr = state.idtr;
  cpu.cr0 = state.cr0;
  cpu.cr2 = state.cr2;
  cpu.cr3 = state.cr3;
  cpu.cr4 = state.cr4;
  cpu.cr8 = state.cr8;
  std::memcpy(cpu.dr, state.dr, sizeof(cpu.dr));
  cpu.xcr0 = state.xcr0;
  cpu.efer = state.efer;
  cpu.star = state.star;
  cpu.lstar = state.lstar;
  cpu.cstar = state.cstar;
  cpu.sfmask = state.sfmask;
  cpu.kernel_gs_base = state.kernel_gs_base;
  cpu.sysenter_cs = state.sysenter_cs;
  cpu.sysenter_esp = state.sysenter_esp;
  cpu.sysenter_eip = state.sysenter_eip;
  cpu.pat = state.pat;
  cpu.tsc_aux = state.tsc_aux;
  cpu.tsc_offset = state.tsc_offset;
  cpu.tsc_adjust = state.tsc_adjust;
  cpu.halted = state.activity == HV_ACTIVITY_HALTED;
  cpu.interrupt_shadow = state.interrupt_shadow;
  cpu.nmi_blocked = state.nmi_blocked != 0;
  std::memcpy(cpu.xsave, state.xsave, sizeof(cpu.xsave));
  // XRSTOR wants the standard format and nothing it does not know.
  uint64_t xstate;
  std::memcpy(&xstate, cpu.xsave + kXstateAt, sizeof(xstate));
  xstate &= kSupportedXstate;
  std::memset(cpu.xsave + kXstateAt, 0, kXstateHeaderBytes);
  std::memcpy(cpu.xsave + kXstateAt, &xstate, sizeof(xstate));
  cpu.read_count = cpu.read_cursor = 0;
  cpu.write_count = cpu.write_cursor = 0;
  cpu.load = {};
  cpu.single_step = false;
  cpu.breakpoint_hits = 0;
  return absl::OkStatus();
}

}  // namespace hv::soft
