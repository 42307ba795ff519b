// What becomes of an event: delivered, or another one in its place (Intel SDM vol. 3, 6.15).
#include "hv_kernel/soft/system/events.h"

#include "hv_kernel/soft/system/breakpoints.h"
#include "hv_kernel/soft/system/delivery.h"

namespace hv::soft {
namespace {

Outcome Deliver(Cpu& cpu, const Event& event) {
  const Outcome outcome = RealMode(cpu)         ? DeliverReal(cpu, event)
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
    case Vector::kGeneralProtection: return Class::kContributory;
    case Vector::kPageFault: return Class::kPageFault;
    default: return Class::kBenign;
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
    if (!event.external && MakesDoubleFault(event.vector, next.vector)) {
      event = {.vector = static_cast<uint8_t>(Vector::kDoubleFault),
               .has_error_code = true,
               .return_rip = cpu.rip};
    } else {
      event = {.vector = next.vector,
               .has_error_code = next.has_error_code,
               .error_code = next.error_code,
               .return_rip = cpu.rip};
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
    case Vector::kMachineCheck: return false;
    default: return true;
  }
}

// The end of an instruction that is an interrupt itself. TF was cleared on the way: no single step.
Outcome Interrupted(Cpu& cpu, Outcome outcome) {
  if (outcome != Outcome::kDone) return outcome;
  cpu.next_rip = cpu.rip;
  cpu.single_step = false;
  return Outcome::kDone;
}

}  // namespace

Outcome DeliverException(Cpu& cpu) {
  const Exception exception = cpu.exception;
  if (exception.vector == static_cast<uint8_t>(Vector::kPageFault)) cpu.cr2 = exception.address;
  if (exception.vector == static_cast<uint8_t>(Vector::kDebug)) {
    cpu.dr[6] |= exception.address;
    cpu.dr[7] &= ~kDr7GeneralDetect;
  }
  // Faults push RF so that a breakpoint on the instruction does not hit twice (SDM vol.
  // 3, 17.3.1.1).
  const uint64_t resume = cpu.rflags & kFlagRf;
  if (IsFault(exception.vector) || exception.general_detect) cpu.rflags |= kFlagRf;
  const bool real = RealMode(cpu);
  const Outcome outcome = DeliverAll(cpu, {.vector = exception.vector,
                                           .has_error_code = exception.has_error_code && !real,
                                           .error_code = exception.error_code,
                                           .return_rip = cpu.rip});
  if (outcome != Outcome::kDone) cpu.rflags = (cpu.rflags & ~kFlagRf) | resume;
  return outcome;
}

Outcome DeliverTraps(Cpu& cpu) {
  cpu.exception = {.vector = static_cast<uint8_t>(Vector::kDebug),
                   .address = cpu.breakpoint_hits | (cpu.single_step ? kDr6SingleStep : 0)};
  cpu.breakpoint_hits = 0;
  cpu.single_step = false;
  cpu.interrupt_shadow = 0;
  return DeliverException(cpu);
}

Outcome DeliverInterrupt(Cpu& cpu, uint8_t vector) {
  return DeliverAll(cpu, {.vector = vector, .external = true, .return_rip = cpu.rip});
}

Outcome DeliverNmi(Cpu& cpu) {
  const Outcome outcome = DeliverAll(
      cpu, {.vector = static_cast<uint8_t>(Vector::kNmi), .external = true, .return_rip = cpu.rip});
  if (outcome == Outcome::kDone) cpu.nmi_blocked = true;
  return outcome;
}

Outcome SoftwareInterrupt(Cpu& cpu, uint8_t vector) {
  const Outcome outcome =
      Deliver(cpu, {.vector = vector, .software = true, .return_rip = cpu.next_rip});
  return Interrupted(cpu, outcome);
}

Outcome DebugInterrupt(Cpu& cpu) {
  const Outcome outcome =
      Deliver(cpu, {.vector = static_cast<uint8_t>(Vector::kDebug), .return_rip = cpu.next_rip});
  return Interrupted(cpu, outcome);
}

}  // namespace hv::soft
