#include "vcpu_svc/local_apic.h"

#include "abi/platform.h"

namespace hv::vcpu {

void LocalApic::Reset(uint32_t id, bool boot_cpu) {
  s_ = {};
  s_.id = id;
  s_.base = HV_LOCAL_APIC_BASE | ApicBase::kEnable | (boot_cpu ? ApicBase::kBootCpu : 0);
  Init();
  if (boot_cpu) lvt(Lvt::kLint0) = LvtEntry::kExtInt;
}

void LocalApic::Init() {
  const LocalApicState old = s_;
  s_ = {};
  s_.id = old.id;
  s_.base = old.base;
  s_.timer.generation = old.timer.generation;
  s_.dfr = DestinationFormat::kFlat;
  s_.svr = SpuriousRegister::kReset;
  for (uint32_t& entry : s_.lvt) entry = LvtEntry::kMasked;
  if (x2apic()) s_.ldr = X2apicLogicalId(s_.id);
}

bool LocalApic::software_enabled() const {
  return enabled() && SpuriousRegister(s_.svr).apic_enabled();
}

TimerMode LocalApic::timer_mode() const { return LvtEntry(lvt(Lvt::kTimer)).timer_mode(); }

bool LocalApic::WriteBase(uint64_t value, Effects& effects) {
  const ApicBase wanted(value);
  if (!wanted.legal()) return false;
  // x2APIC mode is entered from xAPIC mode alone and left to the disabled state alone.
  if (wanted.x2apic() && !enabled()) return false;
  if (x2apic() && wanted.enabled() && !wanted.x2apic()) return false;
  const bool enters_x2apic = wanted.x2apic() && !x2apic();
  const bool disables = enabled() && !wanted.enabled();
  s_.base = (value & ~ApicBase::kBootCpu) | (s_.base & ApicBase::kBootCpu);
  if (enters_x2apic) s_.ldr = X2apicLogicalId(s_.id);
  if (disables) {
    effects.timer_changed = s_.timer.deadline_ns != 0;
    Init();
  }
  return true;
}

void LocalApic::WriteTscDeadline(uint64_t deadline, const GuestTsc& tsc, uint64_t now_ns,
                                 Effects& effects) {
  if (timer_mode() != TimerMode::kTscDeadline) return;
  ApicTimer(s_.timer).SetTscDeadline(deadline, tsc, now_ns);
  effects.timer_changed = true;
}

void LocalApic::TscMoved(const GuestTsc& tsc, uint64_t now_ns, Effects& effects) {
  if (tsc_deadline() != 0) WriteTscDeadline(tsc_deadline(), tsc, now_ns, effects);
}

bool LocalApic::TimerExpired(uint64_t now_ns) {
  if (!ApicTimer(s_.timer).Expire(timer_mode(), now_ns)) return false;
  if (const auto entry = Unmasked(Lvt::kTimer)) Accept(entry->vector(), false);
  return s_.timer.deadline_ns != 0;
}

std::optional<LvtEntry> LocalApic::Unmasked(Lvt entry) const {
  const LvtEntry value(lvt(entry));
  if (value.masked()) return std::nullopt;
  return value;
}

void LocalApic::RaiseError(uint32_t error) {
  // The first error interrupts; a write to ESR arms that again (SDM vol. 3, 11.5.3).
  const bool armed = s_.esr == 0;
  s_.esr |= error;
  const auto entry = Unmasked(Lvt::kError);
  if (!armed || !entry) return;
  if (entry->vector() < kFirstLegalVector) {
    s_.esr |= ApicError::kReceiveIllegalVector;
  } else {
    Accept(entry->vector(), false);
  }
}

void LocalApic::Accept(uint8_t vector, bool level_triggered) {
  if (!software_enabled()) return;
  if (vector < kFirstLegalVector) {
    RaiseError(ApicError::kReceiveIllegalVector);
    return;
  }
  s_.irr.Add(vector);
  if (level_triggered) {
    s_.tmr.Add(vector);
  } else {
    s_.tmr.Remove(vector);
  }
}

void LocalApic::Acknowledge(uint8_t vector) {
  if (!s_.irr.Has(vector)) return;
  s_.irr.Remove(vector);
  s_.isr.Add(vector);
}

void LocalApic::EndOfInterrupt(Effects& effects) {
  const int highest = s_.isr.Highest();
  if (highest < 0) return;
  const auto vector = static_cast<uint8_t>(highest);
  s_.isr.Remove(vector);
  if (s_.tmr.Has(vector) && !SpuriousRegister(s_.svr).suppresses_eoi_broadcast()) {
    effects.end_of_level = vector;
  }
}

}  // namespace hv::vcpu
