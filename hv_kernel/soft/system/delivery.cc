#include "hv_kernel/soft/system/delivery.h"

namespace hv::soft {

Outcome DeliverReal(Cpu& cpu, const Event& event) {
  const uint32_t entry = event.vector * 4u;
  if (entry + 3 > cpu.idtr.limit) return RaiseWithCode(cpu, Vector::kGeneralProtection, 0);
  uint32_t target = 0;
  HV_RETURN_UNLESS_DONE(ReadSystem(cpu, cpu.idtr.base + entry, target));
  EventStack stack(cpu, cpu.segment[HV_SS].base, cpu.gpr[HV_RSP], 2, CurrentTlbIndex(cpu));
  HV_RETURN_UNLESS_DONE(stack.Push(cpu.rflags & 0xffff, 2));
  HV_RETURN_UNLESS_DONE(stack.Push(cpu.segment[HV_CS].selector, 2));
  HV_RETURN_UNLESS_DONE(stack.Push(event.return_rip & 0xffff, 2));
  cpu.gpr[HV_RSP] = stack.pointer();
  cpu.rflags &= ~(kFlagIf | kFlagTf | kFlagAc | kFlagRf);
  LoadRealModeSegment(cpu, HV_CS, static_cast<uint16_t>(target >> 16));
  cpu.rip = target & 0xffff;
  return Outcome::kDone;
}

Outcome CheckTarget(Cpu& cpu, const Event& event, const Gate& gate, Descriptor& code) {
  if (IsNullSelector(gate.selector())) {
    return RaiseWithCode(cpu, Vector::kGeneralProtection, External(event));
  }
  const uint32_t error = SelectorErrorOf(event, gate.selector());
  if (const Outcome outcome = ReadDescriptor(cpu, gate.selector(), code);
      outcome != Outcome::kDone) {
    if (cpu.exception.vector == static_cast<uint8_t>(Vector::kGeneralProtection)) {
      cpu.exception.error_code = error;
    }
    return outcome;
  }
  if (!code.is_code() || code.dpl() > PrivilegeLevel(cpu)) {
    return RaiseWithCode(cpu, Vector::kGeneralProtection, error);
  }
  if (!code.present()) return RaiseWithCode(cpu, Vector::kSegmentNotPresent, error);
  return Outcome::kDone;
}

void EnterHandler(Cpu& cpu, const Gate& gate, const Descriptor& code, uint32_t level) {
  hv_segment_state cs = code.ToState(static_cast<uint16_t>((gate.selector() & ~3u) | level));
  cpu.segment[HV_CS] = cs;
  cpu.rflags &= ~(kFlagTf | kFlagNt | kFlagRf | kFlagVm);
  if ((gate.type() & 1) == 0) cpu.rflags &= ~kFlagIf;  // interrupt gate
  cpu.rip = gate.offset();
}

}  // namespace hv::soft
