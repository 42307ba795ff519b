// Events in long mode: 64-bit gates, the interrupt stack table (Intel SDM vol. 3, 6.14).
#include "hv_kernel/soft/system/delivery.h"
#include "hv_kernel/soft/system/task_state.h"

namespace hv::soft {
Outcome DeliverLong(Cpu& cpu, const Event& event) {
  const uint32_t entry = event.vector * 16u;
  if (entry + 15 > cpu.idtr.limit) {
    return RaiseWithCode(cpu, Vector::kGeneralProtection, IdtError(event));
  }
  uint64_t low = 0;
  uint64_t high = 0;
  HV_RETURN_UNLESS_DONE(ReadSystem(cpu, cpu.idtr.base + entry, low));
  HV_RETURN_UNLESS_DONE(ReadSystem(cpu, cpu.idtr.base + entry + 8, high));
  const Gate gate(low, high);
  const bool valid_type = gate.type() == kInterruptGate32 || gate.type() == kTrapGate32;
  const uint32_t cpl = PrivilegeLevel(cpu);
  if (!gate.is_system() || !valid_type || (event.software && gate.dpl() < cpl)) {
    return RaiseWithCode(cpu, Vector::kGeneralProtection, IdtError(event));
  }
  if (!gate.present()) return RaiseWithCode(cpu, Vector::kSegmentNotPresent, IdtError(event));
  Descriptor code;
  HV_RETURN_UNLESS_DONE(CheckTarget(cpu, event, gate, code));
  if (!code.long_code() || code.big()) {
    return RaiseWithCode(cpu, Vector::kGeneralProtection, SelectorErrorOf(event, gate.selector()));
  }
  const uint32_t level = code.conforming() ? cpl : code.dpl();
  uint64_t rsp = cpu.gpr[HV_RSP];
  const bool inner = level != cpl;
  if (inner || gate.ist() != 0) {
    HV_RETURN_UNLESS_DONE(ReadLongStack(cpu, gate.ist(), level, External(event), rsp));
  }
  EventStack stack(cpu, 0, rsp & ~uint64_t{15}, 8, TlbIndex::kSupervisor);
  HV_RETURN_UNLESS_DONE(stack.Push(cpu.segment[HV_SS].selector, 8));
  HV_RETURN_UNLESS_DONE(stack.Push(cpu.gpr[HV_RSP], 8));
  HV_RETURN_UNLESS_DONE(stack.Push(cpu.rflags, 8));
  HV_RETURN_UNLESS_DONE(stack.Push(cpu.segment[HV_CS].selector, 8));
  HV_RETURN_UNLESS_DONE(stack.Push(event.return_rip, 8));
  if (event.has_error_code) HV_RETURN_UNLESS_DONE(stack.Push(event.error_code, 8));
  cpu.gpr[HV_RSP] = stack.pointer();
  if (inner) cpu.segment[HV_SS] = NullSegment(static_cast<uint16_t>(level), level);
  EnterHandler(cpu, gate, code, level);
  return Outcome::kDone;
}

}  // namespace hv::soft
