#include "hv_kernel/soft/system/call_gate.h"

#include "hv_kernel/soft/memory/linear_access.h"
#include "hv_kernel/soft/system/delivery.h"
#include "hv_kernel/soft/system/gate.h"
#include "hv_kernel/soft/system/operand_access.h"
#include "hv_kernel/soft/system/task_state.h"

namespace hv::soft {
namespace {

constexpr uint64_t kUpperTypeBits = 0x1full << 40;  // of the second half of a 64-bit gate
constexpr uint32_t kBigStack = 1u << 14;

Outcome GeneralProtection(Cpu& cpu, uint32_t error) {
  return RaiseWithCode(cpu, Vector::kGeneralProtection, error);
}

bool SwitchesTasks(const Descriptor& system) {
  switch (system.type()) {
    case kTss16Available:
    case kTss16Busy:
    case kTaskGate:
    case kTss32Available:
    case kTss32Busy: return true;
    default: return false;
  }
}

// The gate, if it is a call gate that may be used from here.
Outcome OpenGate(Cpu& cpu, uint16_t selector, const Descriptor& system, uint64_t& high) {
  const uint32_t error = SelectorError(selector);
  const bool long_mode = LongModeActive(cpu);
  high = 0;
  if (!long_mode && SwitchesTasks(system)) {
    cpu.exit = {.reason = ExitReason::kUnsupported};
    return Outcome::kExit;
  }
  const bool call_gate =
      system.type() == kCallGate32 || (!long_mode && system.type() == kCallGate16);
  if (!call_gate || system.dpl() < PrivilegeLevel(cpu) || system.dpl() < (selector & 3u)) {
    return GeneralProtection(cpu, error);
  }
  if (long_mode) {
    const uint32_t limit = (selector & 4) != 0 ? cpu.ldtr.limit : cpu.gdtr.limit;
    if ((selector | 7u) + 8 > limit) return GeneralProtection(cpu, error);
    HV_RETURN_UNLESS_DONE(ReadSystem(cpu, DescriptorAddress(cpu, selector) + 8, high));
    if ((high & kUpperTypeBits) != 0) return GeneralProtection(cpu, error);
  }
  if (!system.present()) return RaiseWithCode(cpu, Vector::kSegmentNotPresent, error);
  return Outcome::kDone;
}

Outcome ReadCode(Cpu& cpu, const Gate& gate, bool jump, Descriptor& code) {
  const uint32_t error = SelectorError(gate.selector());
  if (IsNullSelector(gate.selector())) return GeneralProtection(cpu, 0);
  HV_RETURN_UNLESS_DONE(ReadDescriptor(cpu, gate.selector(), code));
  const uint32_t cpl = PrivilegeLevel(cpu);
  const bool fits = jump && !code.conforming() ? code.dpl() == cpl : code.dpl() <= cpl;
  const bool wrong_width = LongModeActive(cpu) && (!code.long_code() || code.big());
  if (!code.is_code() || !fits || wrong_width) return GeneralProtection(cpu, error);
  if (!code.present()) return RaiseWithCode(cpu, Vector::kSegmentNotPresent, error);
  if (LongModeActive(cpu) ? !IsCanonical(gate.offset()) : gate.offset() > code.limit()) {
    return GeneralProtection(cpu, 0);
  }
  return SetAccessed(cpu, gate.selector(), code);
}

void Enter(Cpu& cpu, const Gate& gate, const Descriptor& code, uint32_t level) {
  cpu.segment[HV_CS] = code.ToState(static_cast<uint16_t>((gate.selector() & ~3u) | level));
  cpu.next_rip = gate.type() == kCallGate16 ? gate.offset() & 0xffff : gate.offset();
}

// Copies the gate's count of parameters from the old stack to the new one.
Outcome CopyParameters(Cpu& cpu, uint32_t count, uint32_t bytes, EventStack& stack) {
  const uint64_t mask = WidthMask(StackAddressBytes(cpu));
  for (uint32_t i = count; i-- > 0;) {
    uint64_t linear;
    uint64_t value = 0;
    const uint64_t offset = (cpu.gpr[HV_RSP] + uint64_t{i} * bytes) & mask;
    HV_RETURN_UNLESS_DONE(Linear(cpu, HV_SS, offset, bytes, false, linear));
    HV_RETURN_UNLESS_DONE(ReadLinear(cpu, linear, &value, bytes, CurrentTlbIndex(cpu), true));
    HV_RETURN_UNLESS_DONE(stack.Push(value, bytes));
  }
  return Outcome::kDone;
}

// A call to an inner level: on that level's stack of the TSS.
Outcome CallInner(Cpu& cpu, const Gate& gate, const Descriptor& code) {
  const uint32_t level = code.dpl();
  const bool long_mode = LongModeActive(cpu);
  const uint32_t bytes = long_mode ? 8 : gate.type() == kCallGate32 ? 4 : 2;
  hv_segment_state ss = NullSegment(static_cast<uint16_t>(level), level);
  uint64_t rsp = 0;
  HV_RETURN_UNLESS_DONE(long_mode ? ReadLongStack(cpu, 0, level, 0, rsp)
                                  : LoadInnerStack(cpu, level, 0, ss, rsp));
  const uint32_t width = long_mode ? 8 : (ss.attributes & kBigStack) != 0 ? 4 : 2;
  EventStack stack(cpu, ss.base, rsp, width, TlbIndex::kSupervisor);
  HV_RETURN_UNLESS_DONE(stack.Push(cpu.segment[HV_SS].selector, bytes));
  HV_RETURN_UNLESS_DONE(stack.Push(cpu.gpr[HV_RSP], bytes));
  if (!long_mode) HV_RETURN_UNLESS_DONE(CopyParameters(cpu, gate.parameters(), bytes, stack));
  HV_RETURN_UNLESS_DONE(stack.Push(cpu.segment[HV_CS].selector, bytes));
  HV_RETURN_UNLESS_DONE(stack.Push(cpu.next_rip, bytes));
  cpu.gpr[HV_RSP] = stack.pointer();
  cpu.segment[HV_SS] = ss;
  Enter(cpu, gate, code, level);
  return Outcome::kDone;
}

}  // namespace

Outcome JumpThroughGate(Cpu& cpu, uint16_t selector, const Descriptor& system) {
  uint64_t high;
  HV_RETURN_UNLESS_DONE(OpenGate(cpu, selector, system, high));
  const Gate gate(system.bits(), high);
  Descriptor code;
  HV_RETURN_UNLESS_DONE(ReadCode(cpu, gate, /*jump=*/true, code));
  Enter(cpu, gate, code, PrivilegeLevel(cpu));
  return Outcome::kDone;
}

Outcome CallThroughGate(Cpu& cpu, uint16_t selector, const Descriptor& system) {
  uint64_t high;
  HV_RETURN_UNLESS_DONE(OpenGate(cpu, selector, system, high));
  const Gate gate(system.bits(), high);
  Descriptor code;
  HV_RETURN_UNLESS_DONE(ReadCode(cpu, gate, /*jump=*/false, code));
  if (!code.conforming() && code.dpl() < PrivilegeLevel(cpu)) return CallInner(cpu, gate, code);
  const uint64_t rsp = cpu.gpr[HV_RSP];
  const uint32_t bytes = LongModeActive(cpu) ? 8 : gate.type() == kCallGate32 ? 4 : 2;
  HV_RETURN_UNLESS_DONE(Push(cpu, cpu.segment[HV_CS].selector, bytes));
  if (const Outcome outcome = Push(cpu, cpu.next_rip, bytes); outcome != Outcome::kDone) {
    cpu.gpr[HV_RSP] = rsp;
    return outcome;
  }
  Enter(cpu, gate, code, PrivilegeLevel(cpu));
  return Outcome::kDone;
}

}  // namespace hv::soft
