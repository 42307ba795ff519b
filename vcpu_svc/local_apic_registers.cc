// Register accesses of a local APIC: what both modes share, and the xAPIC register page.
#include "vcpu_svc/apic_priority.h"
#include "vcpu_svc/local_apic.h"

namespace hv::vcpu {
namespace {

bool IsWord(uint32_t number, ApicRegister::Number first) {
  return number >= first && number < first + 8;
}

bool IsLvt(uint32_t number) {
  return number >= ApicRegister::kLvtTimer && number <= ApicRegister::kLvtError;
}

// Registers that can be read but not written, and those of older APICs (APR, remote read), whose
// writes are dropped without an error (SDM vol. 3, table 11-1). The id is fixed.
bool DropsWrites(uint32_t number) {
  switch (number) {
    case ApicRegister::kId:
    case ApicRegister::kVersion:
    case ApicRegister::kApr:
    case ApicRegister::kPpr:
    case ApicRegister::kRemoteRead:
    case ApicRegister::kCurrentCount: return true;
    default:
      return IsWord(number, ApicRegister::kIsr) || IsWord(number, ApicRegister::kTmr) ||
             IsWord(number, ApicRegister::kIrr);
  }
}

}  // namespace

std::optional<uint32_t> LocalApic::Read(uint32_t number, uint64_t now_ns) const {
  if (IsWord(number, ApicRegister::kIsr)) return s_.isr.words[number - ApicRegister::kIsr];
  if (IsWord(number, ApicRegister::kTmr)) return s_.tmr.words[number - ApicRegister::kTmr];
  if (IsWord(number, ApicRegister::kIrr)) return s_.irr.words[number - ApicRegister::kIrr];
  if (IsLvt(number)) return s_.lvt[number - ApicRegister::kLvtTimer];
  switch (number) {
    case ApicRegister::kId: return x2apic() ? s_.id : s_.id << 24;
    case ApicRegister::kVersion: return kApicVersion;
    case ApicRegister::kTpr: return s_.tpr;
    case ApicRegister::kPpr: return ProcessorPriority(s_);
    case ApicRegister::kLdr: return s_.ldr;
    case ApicRegister::kSvr: return s_.svr;
    case ApicRegister::kEsr: return s_.esr_latched;
    case ApicRegister::kIcrLow: return s_.icr_low;
    case ApicRegister::kInitialCount: return s_.timer.initial_count;
    case ApicRegister::kCurrentCount: return CurrentCount(s_.timer, timer_mode(), now_ns);
    case ApicRegister::kDivide: return s_.timer.divide;
    default: return std::nullopt;
  }
}

uint32_t LocalApic::ReadPage(uint32_t number, uint64_t now_ns) {
  switch (number) {
    case ApicRegister::kApr:
    case ApicRegister::kRemoteRead:
    case ApicRegister::kEoi: return 0;
    case ApicRegister::kDfr: return s_.dfr;
    case ApicRegister::kIcrHigh: return s_.icr_high;
    default: break;
  }
  if (const auto value = Read(number, now_ns)) return *value;
  RaiseError(ApicError::kIllegalRegister);
  return 0;
}

void LocalApic::WritePage(uint32_t number, uint32_t value, uint64_t now_ns, Effects& effects) {
  if (DropsWrites(number)) return;
  switch (number) {
    case ApicRegister::kLdr: s_.ldr = value & 0xff000000; return;
    case ApicRegister::kDfr: s_.dfr = value | DestinationFormat::kReadOnlyOnes; return;
    case ApicRegister::kIcrHigh: s_.icr_high = value & 0xff000000; return;
    case ApicRegister::kTpr:
    case ApicRegister::kEoi:
    case ApicRegister::kSvr:
    case ApicRegister::kEsr:
    case ApicRegister::kIcrLow:
    case ApicRegister::kInitialCount:
    case ApicRegister::kDivide: Write(number, value, now_ns, effects); return;
    default: break;
  }
  if (IsLvt(number)) {
    Write(number, value, now_ns, effects);
  } else {
    RaiseError(ApicError::kIllegalRegister);
  }
}

void LocalApic::Write(uint32_t number, uint32_t value, uint64_t now_ns, Effects& effects) {
  ApicTimer timer(s_.timer);
  switch (number) {
    case ApicRegister::kTpr: SetTaskPriority(value); break;
    case ApicRegister::kEoi: EndOfInterrupt(effects); break;
    case ApicRegister::kSvr: WriteSpurious(value); break;
    case ApicRegister::kEsr:  // a write shows what has gathered
      s_.esr_latched = s_.esr;
      s_.esr = 0;
      break;
    case ApicRegister::kIcrLow: WriteCommand(value, effects); break;
    case ApicRegister::kSelfIpi: WriteSelfIpi(static_cast<uint8_t>(value), effects); break;
    case ApicRegister::kInitialCount:
      timer.SetInitialCount(timer_mode(), value, now_ns);
      effects.timer_changed = timer_mode() != TimerMode::kTscDeadline;
      break;
    case ApicRegister::kDivide: {
      const uint64_t old = s_.timer.deadline_ns;
      timer.SetDivide(timer_mode(), value, now_ns);
      effects.timer_changed = s_.timer.deadline_ns != old;
      break;
    }
    default: WriteLvt(static_cast<Lvt>(number - ApicRegister::kLvtTimer), value, effects);
  }
}

void LocalApic::WriteLvt(Lvt entry, uint32_t value, Effects& effects) {
  const LvtEntry old(lvt(entry));
  lvt(entry) = value & LvtEntry::Writable(entry);
  if (!software_enabled()) lvt(entry) |= LvtEntry::kMasked;
  if (entry != Lvt::kTimer) return;
  const uint64_t old_deadline = s_.timer.deadline_ns;
  ApicTimer(s_.timer).ChangeMode(old.timer_mode(), timer_mode());
  effects.timer_changed = s_.timer.deadline_ns != old_deadline;
}

void LocalApic::WriteSpurious(uint32_t value) {
  s_.svr = value & SpuriousRegister::kWritable;
  if (software_enabled()) return;
  for (uint32_t& entry : s_.lvt) entry |= LvtEntry::kMasked;
}

void LocalApic::WriteCommand(uint32_t low, Effects& effects) {
  s_.icr_low = low & CommandRegister::kWritable;
  const CommandRegister command(low);
  const uint8_t mode = command.delivery_mode();
  const bool has_vector = mode == HV_DELIVERY_FIXED || mode == HV_DELIVERY_LOWEST_PRIORITY;
  if (has_vector && command.vector() < kFirstLegalVector) {
    RaiseError(ApicError::kSendIllegalVector);
    return;
  }
  effects.command = InterruptMessage{
      .destination = {.id = x2apic() ? s_.icr_high : s_.icr_high >> 24,
                      .logical = command.logical(),
                      .from_outside = false},
      .shorthand = command.shorthand(),
      .vector = command.vector(),
      .delivery_mode = mode,
      // Level and trigger mode tell INIT from its de-assertion; all others are edges (11.6.1).
      .level_triggered = false,
      .asserts = mode != HV_DELIVERY_INIT || command.asserts() || !command.level_triggered()};
}

void LocalApic::WriteSelfIpi(uint8_t vector, Effects& effects) {
  if (vector < kFirstLegalVector) {
    RaiseError(ApicError::kSendIllegalVector | ApicError::kReceiveIllegalVector);
    return;
  }
  effects.command =
      InterruptMessage{.destination = {.id = s_.id, .logical = false, .from_outside = false},
                       .shorthand = Shorthand::kSelf,
                       .vector = vector,
                       .delivery_mode = HV_DELIVERY_FIXED,
                       .level_triggered = false,
                       .asserts = true};
}

}  // namespace hv::vcpu
