#include "vcpu_svc/local_apic.h"

#include <bit>

#include "abi/message.h"
#include "abi/platform.h"

namespace hv::vcpu {
namespace {

// Register numbers: offset in the page / 16 (SDM vol. 3, table 11-1).
enum Register : uint32_t {
  kId = 0x02, kVersion = 0x03, kTpr = 0x08, kApr = 0x09, kPpr = 0x0a, kEoi = 0x0b, kLdr = 0x0d,
  kDfr = 0x0e, kSvr = 0x0f, kIsr = 0x10, kTmr = 0x18, kIrr = 0x20, kEsr = 0x28, kIcrLow = 0x30,
  kIcrHigh = 0x31, kLvtTimer = 0x32, kLvtLast = 0x37, kInitialCount = 0x38, kCurrentCount = 0x39,
  kDivide = 0x3e, kSelfIpi = 0x3f,
};

constexpr uint64_t kBaseBsp = 1u << 8, kBaseX2 = 1u << 10, kBaseEnable = 1u << 11;
constexpr uint64_t kBaseAddress = ((1ull << 46) - 1) & ~0xfffull;
// Version 14H, six LVT entries, EOI-broadcast suppression.
constexpr uint32_t kVersionValue = 0x14 | (kLvtEntries - 1) << 16 | 1u << 24;
constexpr uint32_t kSvrEnable = 1u << 8, kSvrSuppressEoi = 1u << 12;
constexpr uint32_t kSvrWritable = 0x11ff;
constexpr uint32_t kLvtMasked = 1u << 16;
constexpr uint32_t kLvtTimerModes = 3u << 17, kLvtPeriodic = 1u << 17, kLvtTscDeadline = 2u << 17;
constexpr uint32_t kDfrFlat = 0xffffffff;
constexpr uint32_t kErrorSendVector = 1u << 5, kErrorReceiveVector = 1u << 6;
constexpr uint32_t kErrorIllegalRegister = 1u << 7;
constexpr uint32_t kIcrPending = 1u << 12;
constexpr int kFirstLegalVector = 16;
constexpr uint64_t kNsPerSecond = 1'000'000'000;
static_assert(HV_LOCAL_APIC_TIMER_HZ == kNsPerSecond, "one bus tick is one nanosecond");

// Bits of each LVT register that software may set (SDM vol. 3, figure 11-8).
constexpr uint32_t kLvtWritable[kLvtEntries] = {0x700ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff};

uint64_t TscToNs(uint64_t tsc, uint64_t tsc_hz) {
  // Rounded up: never early.
  return static_cast<uint64_t>(((unsigned __int128)tsc * kNsPerSecond + tsc_hz - 1) / tsc_hz);
}

}  // namespace

int VectorSet::Highest() const {
  for (int i = 7; i >= 0; --i) {
    if (words[i] != 0) return i * 32 + 31 - std::countl_zero(words[i]);
  }
  return -1;
}

void LocalApic::Reset(uint32_t id, bool boot_cpu) {
  s_ = {};
  s_.id = id;
  s_.base = HV_LOCAL_APIC_BASE | kBaseEnable | (boot_cpu ? kBaseBsp : 0);
  Init();
}

void LocalApic::Init() {
  const LocalApicState old = s_;
  s_ = {};
  s_.id = old.id;
  s_.base = old.base;
  s_.timer_generation = old.timer_generation + 1;  // what was armed is no longer wanted
  s_.dfr = kDfrFlat;
  s_.svr = 0xff;
  for (uint32_t& lvt : s_.lvt) lvt = kLvtMasked;
  // In x2APIC mode the logical id is derived from the APIC id.
  if (x2apic()) s_.ldr = (s_.id >> 4) << 16 | 1u << (s_.id & 15);
}

bool LocalApic::enabled() const { return (s_.base & kBaseEnable) != 0; }
bool LocalApic::x2apic() const { return (s_.base & kBaseX2) != 0; }
bool LocalApic::software_enabled() const { return enabled() && (s_.svr & kSvrEnable) != 0; }
bool LocalApic::periodic() const { return (s_.lvt[0] & kLvtTimerModes) == kLvtPeriodic; }
bool LocalApic::tsc_deadline_mode() const {
  return (s_.lvt[0] & kLvtTimerModes) == kLvtTscDeadline;
}

bool LocalApic::WriteBase(uint64_t value) {
  if ((value & ~(kBaseAddress | kBaseBsp | kBaseX2 | kBaseEnable)) != 0) return false;
  const bool enable = (value & kBaseEnable) != 0;
  const bool x2 = (value & kBaseX2) != 0;
  // SDM vol. 3, figure 11-27: x2APIC needs EN, is entered from xAPIC alone and left to disabled alone.
  if (x2 && !enable) return false;
  if (x2 && !enabled()) return false;
  if (x2apic() && enable && !x2) return false;
  const bool entered_x2 = x2 && !x2apic();
  const bool was_enabled = enabled();
  s_.base = (value & ~kBaseBsp) | (s_.base & kBaseBsp);
  if (!enable && was_enabled) Init();
  if (entered_x2) s_.ldr = (s_.id >> 4) << 16 | 1u << (s_.id & 15);
  return true;
}

uint64_t LocalApic::TickNs() const {
  const uint32_t code = (s_.divide & 3) | (s_.divide >> 1 & 4);
  return code == 7 ? 1 : 2u << code;
}

uint32_t LocalApic::CurrentCount(uint64_t now_ns) const {
  if (s_.initial_count == 0 || tsc_deadline_mode()) return 0;
  const uint64_t elapsed = now_ns > s_.timer_start_ns ? (now_ns - s_.timer_start_ns) / TickNs() : 0;
  if (elapsed < s_.initial_count) return static_cast<uint32_t>(s_.initial_count - elapsed);
  if (!periodic()) return 0;
  return static_cast<uint32_t>(s_.initial_count - elapsed % s_.initial_count);
}

uint64_t LocalApic::TimerDeadline(uint64_t tsc_hz) const {
  if (tsc_deadline_mode()) {
    return s_.tsc_deadline == 0 ? UINT64_MAX : TscToNs(s_.tsc_deadline, tsc_hz);
  }
  if (s_.initial_count == 0) return UINT64_MAX;
  return s_.timer_start_ns + s_.initial_count * TickNs();
}

bool LocalApic::TimerExpired(uint64_t tsc_hz, uint64_t now_ns) {
  RaiseTimer();
  if (tsc_deadline_mode()) {
    s_.tsc_deadline = 0;
    return false;
  }
  if (!periodic()) {
    s_.initial_count = 0;
    return false;
  }
  // The next expiry is a whole number of periods after the last, however late this one is served;
  // periods missed altogether are one interrupt, as on a CPU whose IRR bit was still set.
  const uint64_t period = s_.initial_count * TickNs();
  const uint64_t deadline = TimerDeadline(tsc_hz);
  const uint64_t missed = now_ns > deadline ? (now_ns - deadline) / period : 0;
  s_.timer_start_ns = deadline + missed * period;
  return true;
}

void LocalApic::RaiseTimer() {
  const uint32_t lvt = s_.lvt[static_cast<int>(Lvt::kTimer)];
  if ((lvt & kLvtMasked) == 0) Accept(static_cast<uint8_t>(lvt), false);
}

int LocalApic::LintMode(Lvt lint) const {
  const uint32_t lvt = s_.lvt[static_cast<int>(lint)];
  if ((lvt & kLvtMasked) != 0) return -1;
  return static_cast<int>(lvt >> 8 & 7);
}

void LocalApic::RaiseError(uint32_t bit) {
  s_.esr |= bit;
  const uint32_t lvt = s_.lvt[static_cast<int>(Lvt::kError)];
  if ((lvt & kLvtMasked) == 0 && (lvt & 0xff) >= kFirstLegalVector) {
    Accept(static_cast<uint8_t>(lvt), false);
  }
}

void LocalApic::Accept(uint8_t vector, bool level) {
  if (!software_enabled()) return;
  if (vector < kFirstLegalVector) {
    RaiseError(kErrorReceiveVector);
    return;
  }
  s_.irr.Add(vector);
  if (level) {
    s_.tmr.Add(vector);
  } else {
    s_.tmr.Remove(vector);
  }
}

bool LocalApic::Matches(uint32_t destination, bool logical) const {
  if (!enabled()) return false;
  if (x2apic()) {
    if (destination == 0xffffffff) return true;
    if (!logical) return destination == s_.id;
    return destination >> 16 == s_.ldr >> 16 && (destination & s_.ldr & 0xffff) != 0;
  }
  // In xAPIC mode destinations have eight bits.
  if ((destination & 0xff) == 0xff) return true;
  if (!logical) return destination == s_.id;
  const uint32_t mine = s_.ldr >> 24;
  if (s_.dfr == kDfrFlat) return (mine & destination) != 0;
  return mine >> 4 == (destination >> 4 & 0xf) && (mine & destination & 0xf) != 0;
}

uint32_t LocalApic::ProcessorPriority() const {
  const int in_service = s_.isr.Highest();
  const uint32_t service_class = in_service < 0 ? 0 : static_cast<uint32_t>(in_service) & 0xf0;
  return (s_.tpr & 0xf0) >= service_class ? s_.tpr : service_class;
}

int LocalApic::Deliverable() const {
  if (!software_enabled()) return -1;
  const int requested = s_.irr.Highest();
  if (requested < 0) return -1;
  return (static_cast<uint32_t>(requested) & 0xf0) > (ProcessorPriority() & 0xf0) ? requested : -1;
}

void LocalApic::Acknowledge(uint8_t vector) {
  s_.irr.Remove(vector);
  s_.isr.Add(vector);
}

void LocalApic::EndOfInterrupt(Effects& effects) {
  const int vector = s_.isr.Highest();
  if (vector < 0) return;
  s_.isr.Remove(static_cast<uint8_t>(vector));
  const bool suppressed = (s_.svr & kSvrSuppressEoi) != 0;
  if (s_.tmr.Has(static_cast<uint8_t>(vector)) && !suppressed) {
    effects.end_of_level = static_cast<uint8_t>(vector);
  }
}

void LocalApic::WriteIcr(Effects& effects) {
  const uint32_t low = s_.icr_low;
  const auto vector = static_cast<uint8_t>(low);
  const auto mode = static_cast<uint8_t>(low >> 8 & 7);
  const bool fixed = mode == HV_DELIVERY_FIXED || mode == HV_DELIVERY_LOWEST_PRIORITY;
  if (fixed && vector < kFirstLegalVector) {
    RaiseError(kErrorSendVector);
    return;
  }
  effects.command = Command{.destination = x2apic() ? s_.icr_high : s_.icr_high >> 24,
                            .vector = vector,
                            .delivery_mode = mode,
                            .shorthand = static_cast<uint8_t>(low >> 18 & 3),
                            .logical = (low >> 11 & 1) != 0,
                            .level_assert = (low >> 14 & 1) != 0,
                            .level_trigger = (low >> 15 & 1) != 0};
}

void LocalApic::DisableBySoftware() {
  for (uint32_t& lvt : s_.lvt) lvt |= kLvtMasked;
}

bool LocalApic::Read(uint32_t number, uint64_t now_ns, uint64_t, uint32_t& value) const {
  if (number >= kIsr && number < kIsr + 8) {
    value = s_.isr.words[number - kIsr];
  } else if (number >= kTmr && number < kTmr + 8) {
    value = s_.tmr.words[number - kTmr];
  } else if (number >= kIrr && number < kIrr + 8) {
    value = s_.irr.words[number - kIrr];
  } else if (number >= kLvtTimer && number <= kLvtLast) {
    value = s_.lvt[number - kLvtTimer];
  } else {
    switch (number) {
      case kId: value = x2apic() ? s_.id : s_.id << 24; break;
      case kVersion: value = kVersionValue; break;
      case kTpr: value = s_.tpr; break;
      case kApr: value = 0; break;
      case kPpr: value = ProcessorPriority(); break;
      case kEoi: value = 0; break;
      case kLdr: value = s_.ldr; break;
      case kDfr: value = s_.dfr; return !x2apic();
      case kSvr: value = s_.svr; break;
      case kEsr: value = s_.esr_latched; break;
      case kIcrLow: value = s_.icr_low & ~kIcrPending; break;
      case kIcrHigh: value = s_.icr_high; break;
      case kInitialCount: value = tsc_deadline_mode() ? 0 : s_.initial_count; break;
      case kCurrentCount: value = CurrentCount(now_ns); break;
      case kDivide: value = s_.divide; break;
      default: value = 0; return false;
    }
  }
  return true;
}

bool LocalApic::Write(uint32_t number, uint32_t value, uint64_t now_ns, Effects& effects) {
  if (number >= kLvtTimer && number <= kLvtLast) {
    const uint32_t index = number - kLvtTimer;
    const uint32_t old = s_.lvt[index];
    s_.lvt[index] = value & kLvtWritable[index];
    if (!software_enabled()) s_.lvt[index] |= kLvtMasked;
    if (index == 0 && ((old ^ value) & kLvtTimerModes) != 0) {
      // A change of mode disarms (SDM vol. 3, 11.5.4.1).
      s_.initial_count = 0;
      s_.tsc_deadline = 0;
      effects.timer_changed = true;
    }
    return true;
  }
  switch (number) {
    case kId: return !x2apic();  // read-only here: ids are fixed
    case kTpr: s_.tpr = value & 0xff; return true;
    case kEoi: EndOfInterrupt(effects); return true;
    case kLdr:
      if (x2apic()) return false;
      s_.ldr = value & 0xff000000;
      return true;
    case kDfr:
      if (x2apic()) return false;
      s_.dfr = value | 0x0fffffff;
      return true;
    case kSvr:
      s_.svr = value & kSvrWritable;
      if ((value & kSvrEnable) == 0) DisableBySoftware();
      return true;
    case kEsr:  // a write shows what has gathered
      s_.esr_latched = s_.esr;
      s_.esr = 0;
      return true;
    case kIcrLow:
      s_.icr_low = value & 0xcdfff;
      WriteIcr(effects);
      return true;
    case kIcrHigh: s_.icr_high = value; return !x2apic();
    case kInitialCount:
      if (tsc_deadline_mode()) return true;
      s_.initial_count = value;
      s_.timer_start_ns = now_ns;
      effects.timer_changed = true;
      return true;
    case kDivide: {
      const uint32_t left = CurrentCount(now_ns);
      s_.divide = value & 0xb;
      // The count goes on from where it is at the new rate.
      if (s_.initial_count != 0) {
        s_.timer_start_ns = now_ns - (s_.initial_count - left) * TickNs();
        effects.timer_changed = true;
      }
      return true;
    }
    case kSelfIpi:
      if (!x2apic()) return false;
      effects.command = Command{.destination = s_.id, .vector = static_cast<uint8_t>(value),
                                .delivery_mode = HV_DELIVERY_FIXED, .shorthand = 1,
                                .logical = false, .level_assert = true, .level_trigger = false};
      return true;
    default:
      RaiseError(kErrorIllegalRegister);
      return false;
  }
}

bool LocalApic::ReadMsr(uint32_t number, uint64_t now_ns, uint64_t tsc_hz, uint64_t& value) const {
  if (!x2apic() || number == kIcrHigh || number == kEoi || number == kSelfIpi || number == kApr) {
    return false;
  }
  uint32_t low = 0;
  if (!Read(number, now_ns, tsc_hz, low)) return false;
  value = low;
  if (number == kIcrLow) value |= uint64_t{s_.icr_high} << 32;
  return true;
}

bool LocalApic::WriteMsr(uint32_t number, uint64_t value, uint64_t now_ns, Effects& effects) {
  if (!x2apic() || number == kIcrHigh) return false;
  if (number == kIcrLow) {
    s_.icr_high = static_cast<uint32_t>(value >> 32);
  } else if (value >> 32 != 0) {
    return false;
  }
  const bool zero_only = number == kEoi || number == kEsr;
  if (zero_only && value != 0) return false;
  if ((number == kTpr || number == kSelfIpi) && value > 0xff) return false;
  switch (number) {
    case kTpr: case kEoi: case kSvr: case kEsr: case kIcrLow: case kInitialCount: case kDivide:
    case kSelfIpi:
      break;
    default:
      if (number < kLvtTimer || number > kLvtLast) return false;
  }
  return Write(number, static_cast<uint32_t>(value), now_ns, effects);
}

}  // namespace hv::vcpu
