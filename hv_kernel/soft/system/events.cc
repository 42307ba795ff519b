#include "hv_kernel/soft/system/events.h"

#include "hv_kernel/soft/memory/linear_access.h"
#include "hv_kernel/soft/system/gate.h"
#include "hv_kernel/soft/system/operand_access.h"
#include "hv_kernel/soft/system/segments.h"

namespace hv::soft {
namespace {

// What is being delivered.
struct Event {
  uint8_t vector;
  bool has_error_code = false;
  uint32_t error_code = 0;
  bool software = false;  // gate privilege is checked, EXT stays clear
  uint64_t return_rip = 0;
};

constexpr uint32_t kErrorExternal = 1u << 0;
constexpr uint32_t kErrorIdt = 1u << 1;

uint32_t IdtError(const Event& event) {
  return uint32_t{event.vector} << 3 | kErrorIdt | (event.software ? 0 : kErrorExternal);
}
uint32_t SelectorErrorOf(const Event& event, uint16_t selector) {
  return SelectorError(selector) | (event.software ? 0 : kErrorExternal);
}

// The stack an event is pushed on, written downwards; committed to RSP and SS only at the end.
class EventStack {
 public:
  EventStack(Cpu& cpu, uint64_t base, uint64_t pointer, uint32_t width, TlbIndex index)
      : cpu_(cpu), base_(base), pointer_(pointer), width_(width), index_(index) {}

  Outcome Push(uint64_t value, uint32_t bytes) {
    pointer_ = (pointer_ & ~WidthMask(width_)) | ((pointer_ - bytes) & WidthMask(width_));
    return WriteLinear(cpu_, base_ + (pointer_ & WidthMask(width_)), &value, bytes, index_, true);
  }
  uint64_t pointer() const { return pointer_; }

 private:
  Cpu& cpu_;
  uint64_t base_;
  uint64_t pointer_;
  uint32_t width_;
  TlbIndex index_;
};

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

// Offsets in the task-state segments (SDM vol. 3, figures 7-2 and 7-11).
constexpr uint64_t kTss32Stacks = 4;   // ESP0, SS0, eight bytes a privilege level
constexpr uint64_t kTss16Stacks = 2;   // SP0, SS0, four bytes
constexpr uint64_t kTss64Rsp0 = 4;
constexpr uint64_t kTss64Ist1 = 36;

Outcome ReadLongStack(Cpu& cpu, const Event& event, uint8_t ist, uint32_t level, uint64_t& rsp) {
  const uint64_t offset = ist != 0 ? kTss64Ist1 + (ist - 1) * 8u : kTss64Rsp0 + level * 8u;
  if (offset + 7 > cpu.tr.limit) {
    return RaiseWithCode(cpu, Vector::kInvalidTss, SelectorErrorOf(event, cpu.tr.selector));
  }
  return ReadSystem(cpu, cpu.tr.base + offset, rsp);
}

// The target of a gate, checked as SDM vol. 3, 6.12.1.1 and 6.14 say.
Outcome CheckTarget(Cpu& cpu, const Event& event, const Gate& gate, Descriptor& code) {
  if (IsNullSelector(gate.selector())) {
    return RaiseWithCode(cpu, Vector::kGeneralProtection, event.software ? 0 : kErrorExternal);
  }
  const uint32_t error = SelectorErrorOf(event, gate.selector());
  if (ReadDescriptor(cpu, gate.selector(), code) != Outcome::kDone) {
    if (cpu.exception.vector == static_cast<uint8_t>(Vector::kGeneralProtection)) {
      cpu.exception.error_code = error;
    }
    return Outcome::kException;
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
    HV_RETURN_UNLESS_DONE(ReadLongStack(cpu, event, gate.ist(), level, rsp));
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

// SS and ESP of an inner level from the current TSS, with the checks of SDM vol. 3, 6.12.1.
Outcome LoadInnerStack(Cpu& cpu, const Event& event, uint32_t level, hv_segment_state& ss,
                       uint64_t& esp) {
  const bool wide = (cpu.tr.attributes & 8) != 0;
  const uint64_t offset = wide ? kTss32Stacks + level * 8 : kTss16Stacks + level * 4;
  if (offset + (wide ? 5 : 3) > cpu.tr.limit) {
    return RaiseWithCode(cpu, Vector::kInvalidTss, SelectorErrorOf(event, cpu.tr.selector));
  }
  uint16_t selector = 0;
  esp = 0;
  if (wide) {
    uint32_t value = 0;
    HV_RETURN_UNLESS_DONE(ReadSystem(cpu, cpu.tr.base + offset, value));
    HV_RETURN_UNLESS_DONE(ReadSystem(cpu, cpu.tr.base + offset + 4, selector));
    esp = value;
  } else {
    uint16_t value = 0;
    HV_RETURN_UNLESS_DONE(ReadSystem(cpu, cpu.tr.base + offset, value));
    HV_RETURN_UNLESS_DONE(ReadSystem(cpu, cpu.tr.base + offset + 2, selector));
    esp = value;
  }
  const uint32_t error = SelectorErrorOf(event, selector);
  if (IsNullSelector(selector)) return RaiseWithCode(cpu, Vector::kInvalidTss, error);
  Descriptor descriptor;
  HV_RETURN_UNLESS_DONE(ReadDescriptor(cpu, selector, descriptor, Vector::kInvalidTss));
  if ((selector & 3u) != level || descriptor.dpl() != level || !descriptor.writable()) {
    return RaiseWithCode(cpu, Vector::kInvalidTss, error);
  }
  if (!descriptor.present()) return RaiseWithCode(cpu, Vector::kStackFault, error);
  ss = descriptor.ToState(selector);
  return Outcome::kDone;
}

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
  if (inner) HV_RETURN_UNLESS_DONE(LoadInnerStack(cpu, event, level, ss, esp));
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

Outcome Deliver(Cpu& cpu, const Event& event) {
  const Outcome outcome = RealMode(cpu)           ? DeliverReal(cpu, event)
                          : LongModeActive(cpu) ? DeliverLong(cpu, event)
                                                : DeliverProtected(cpu, event);
  if (outcome == Outcome::kDone) cpu.halted = false;
  return outcome;
}

// Which pairs of exceptions make a double fault (SDM vol. 3, table 6-5).
enum class Class { kBenign, kContributory, kPageFault };
Class ClassOf(uint8_t vector) {
  switch (static_cast<Vector>(vector)) {
    case Vector::kDivideError:
    case Vector::kInvalidTss:
    case Vector::kSegmentNotPresent:
    case Vector::kStackFault:
    case Vector::kGeneralProtection:
      return Class::kContributory;
    case Vector::kPageFault:
      return Class::kPageFault;
    default:
      return Class::kBenign;
  }
}
bool MakesDoubleFault(uint8_t first, uint8_t second) {
  const Class second_class = ClassOf(second);
  switch (ClassOf(first)) {
    case Class::kBenign: return false;
    case Class::kContributory: return second_class == Class::kContributory;
    case Class::kPageFault: return second_class != Class::kBenign;
  }
  return false;
}

Outcome Shutdown(Cpu& cpu) {
  cpu.exit = {.reason = ExitReason::kShutdown};
  return Outcome::kExit;
}

// Delivers, and what comes of failing to.
Outcome DeliverAll(Cpu& cpu, Event event) {
  for (int depth = 0; depth < 8; ++depth) {
    const Outcome outcome = Deliver(cpu, event);
    if (outcome != Outcome::kException) return outcome;
    const Exception next = cpu.exception;
    if (event.vector == static_cast<uint8_t>(Vector::kDoubleFault)) return Shutdown(cpu);
    if (next.vector == static_cast<uint8_t>(Vector::kPageFault)) cpu.cr2 = next.address;
    const bool external = !event.software && ClassOf(event.vector) == Class::kBenign;
    if (!external && MakesDoubleFault(event.vector, next.vector)) {
      event = {.vector = static_cast<uint8_t>(Vector::kDoubleFault), .has_error_code = true,
               .return_rip = cpu.rip};
    } else {
      event = {.vector = next.vector, .has_error_code = next.has_error_code,
               .error_code = next.error_code, .return_rip = cpu.rip};
    }
  }
  return Shutdown(cpu);
}

bool IsFault(uint8_t vector) {
  switch (static_cast<Vector>(vector)) {
    case Vector::kBreakpoint:
    case Vector::kOverflow:
    case Vector::kDebug:
    case Vector::kDoubleFault:
    case Vector::kMachineCheck:
      return false;
    default:
      return true;
  }
}

}  // namespace

Outcome DeliverException(Cpu& cpu) {
  const Exception exception = cpu.exception;
  if (exception.vector == static_cast<uint8_t>(Vector::kPageFault)) cpu.cr2 = exception.address;
  if (exception.vector == static_cast<uint8_t>(Vector::kDebug)) cpu.dr[6] |= exception.address;
  // Faults push RF so that a breakpoint on the instruction does not hit twice (SDM vol. 3, 17.3.1.1).
  const uint64_t resume = cpu.rflags & kFlagRf;
  if (IsFault(exception.vector)) cpu.rflags |= kFlagRf;
  const bool real = RealMode(cpu);
  const Outcome outcome =
      DeliverAll(cpu, {.vector = exception.vector,
                       .has_error_code = exception.has_error_code && !real,
                       .error_code = exception.error_code,
                       .return_rip = cpu.rip});
  if (outcome != Outcome::kDone) cpu.rflags = (cpu.rflags & ~kFlagRf) | resume;
  return outcome;
}

Outcome DeliverInterrupt(Cpu& cpu, uint8_t vector) {
  return DeliverAll(cpu, {.vector = vector, .return_rip = cpu.rip});
}

Outcome DeliverNmi(Cpu& cpu) {
  const Outcome outcome =
      DeliverAll(cpu, {.vector = static_cast<uint8_t>(Vector::kNmi), .return_rip = cpu.rip});
  if (outcome == Outcome::kDone) cpu.nmi_blocked = true;
  return outcome;
}

Outcome SoftwareInterrupt(Cpu& cpu, uint8_t vector) {
  const Outcome outcome =
      Deliver(cpu, {.vector = vector, .software = true, .return_rip = cpu.next_rip});
  if (outcome == Outcome::kDone) cpu.next_rip = cpu.rip;
  return outcome;
}

Outcome DebugInterrupt(Cpu& cpu) {
  const Outcome outcome = Deliver(
      cpu, {.vector = static_cast<uint8_t>(Vector::kDebug), .return_rip = cpu.next_rip});
  if (outcome == Outcome::kDone) cpu.next_rip = cpu.rip;
  return outcome;
}

}  // namespace hv::soft
