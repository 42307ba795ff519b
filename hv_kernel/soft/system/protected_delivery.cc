// Events in protected mode: 32-bit and 16-bit interrupt and trap gates (Intel SDM vol. 3, 6.12).
#include "hv_kernel/soft/system/delivery.h"
#include "hv_kernel/soft/system/task_state.h"

namespace hv::soft {

Outcome DeliverProtected(Cpu& cpu, const Event& event) {
  const uint32_t entry = event.vector * 8u;
  if (entry + 7 > cpu.idtr.limit) {
    return RaiseWithCode(cpu, Vector::kGeneralProtection, IdtError(event));
  }
  uint64_t low = 0;
  HV_RETURN_UNLESS_DONE(ReadSystem(cpu, cpu.idtr.base + entry, low));
  const Gate gate(low, 0);
  const bool gate32 = gate.type() == kInterruptGate32 || gate.type() == kTrapGate32;
  const bool gate16 = gate.type() == kInterruptGate16 || gate.type() == kTrapGate16;
  const uint32_t cpl = PrivilegeLevel(cpu);
  if (!gate.is_system() || !(gate32 || gate16) || (event.software && gate.dpl() < cpl)) {
    return RaiseWithCode(cpu, Vector::kGeneralProtection, IdtError(event));
  }
  if (!gate.present()) return RaiseWithCode(cpu, Vector::kSegmentNotPresent, IdtError(event));
  Descriptor code;
  HV_RETURN_UNLESS_DONE(CheckTarget(cpu, event, gate, code));
  const uint32_t level = code.conforming() ? cpl : code.dpl();
  const bool inner = level != cpl;
  hv_segment_state ss = cpu.segment[HV_SS];
  uint64_t esp = cpu.gpr[HV_RSP];
  if (inner) HV_RETURN_UNLESS_DONE(LoadInnerStack(cpu, level, External(event), ss, esp));
  const uint32_t width = (ss.attributes & (1u << 14)) != 0 ? 4 : 2;
  const uint32_t bytes = gate32 ? 4 : 2;
  const TlbIndex index = level == 3 ? TlbIndex::kUser : TlbIndex::kSupervisor;
  EventStack stack(cpu, ss.base, esp, width, index);
  if (inner) {
    if ((cpu.rflags & kFlagVm) != 0) {
      for (int segment : {HV_GS, HV_FS, HV_DS, HV_ES}) {
        HV_RETURN_UNLESS_DONE(stack.Push(cpu.segment[segment].selector, bytes));
      }
    }
    HV_RETURN_UNLESS_DONE(stack.Push(cpu.segment[HV_SS].selector, bytes));
    HV_RETURN_UNLESS_DONE(stack.Push(cpu.gpr[HV_RSP], bytes));
  }
  HV_RETURN_UNLESS_DONE(stack.Push(cpu.rflags, bytes));
  HV_RETURN_UNLESS_DONE(stack.Push(cpu.segment[HV_CS].selector, bytes));
  HV_RETURN_UNLESS_DONE(stack.Push(event.return_rip, bytes));
  if (event.has_error_code) HV_RETURN_UNLESS_DONE(stack.Push(event.error_code, bytes));
  if ((cpu.rflags & kFlagVm) != 0) {
    for (int segment : {HV_GS, HV_FS, HV_DS, HV_ES}) cpu.segment[segment] = NullSegment(0, 0);
  }
  cpu.gpr[HV_RSP] = stack.pointer();
  cpu.segment[HV_SS] = ss;
  EnterHandler(cpu, gate, code, level);
  if (gate16) cpu.rip &= 0xffff;
  return Outcome::kDone;
}

}  // namespace hv::soft
