// One local APIC (Intel SDM vol. 3, chapter 11): registers, priorities, timer. What it wants done
// outside it returns.
#pragma once

#include <cstdint>
#include <optional>

namespace hv::vcpu {

// A set of 256 vectors.
struct VectorSet {
  uint32_t words[8];

  bool Has(uint8_t vector) const { return (words[vector / 32] >> (vector % 32) & 1) != 0; }
  void Add(uint8_t vector) { words[vector / 32] |= 1u << (vector % 32); }
  void Remove(uint8_t vector) { words[vector / 32] &= ~(1u << (vector % 32)); }
  // The highest vector; -1 when empty.
  int Highest() const;
};

// The local vector table, in the order of the registers from 320H.
enum class Lvt : uint8_t { kTimer, kThermal, kPerformance, kLint0, kLint1, kError };
inline constexpr int kLvtEntries = 6;

// Plain data: lives in the state segment.
struct LocalApicState {
  uint64_t base;  // IA32_APIC_BASE
  uint64_t tsc_deadline;
  uint64_t timer_start_ns;  // when the current count was initial_count
  uint32_t id;              // APIC id; bits 31:24 of the ID register in xAPIC mode
  uint32_t tpr, ldr, dfr, svr;
  uint32_t esr, esr_latched;  // errors since the last write, errors shown
  uint32_t icr_low, icr_high;
  uint32_t lvt[kLvtEntries];
  uint32_t initial_count, divide;
  uint32_t timer_generation;
  VectorSet irr, isr, tmr;
};

// An interprocessor interrupt to be routed.
struct Command {
  uint32_t destination;
  uint8_t vector;
  uint8_t delivery_mode;  // enum hv_delivery_mode
  uint8_t shorthand;      // 0 none, 1 self, 2 all, 3 all but self
  bool logical;
  bool level_assert;
  bool level_trigger;
};

// What a register access caused.
struct Effects {
  std::optional<Command> command;
  std::optional<uint8_t> end_of_level;  // EOI of this level-triggered vector is to be broadcast
  bool timer_changed = false;           // the deadline is to be set anew
};

class LocalApic {
 public:
  explicit LocalApic(LocalApicState& state) : s_(state) {}

  // Power-on and INIT (SDM vol. 3, 11.4.7.1). INIT keeps the APIC id and IA32_APIC_BASE.
  void Reset(uint32_t id, bool boot_cpu);
  void Init();

  bool enabled() const;  // IA32_APIC_BASE.EN
  bool x2apic() const;
  bool software_enabled() const;

  // Registers by number (offset / 16). False: no such register, or not in this mode.
  bool Read(uint32_t number, uint64_t now_ns, uint64_t tsc_hz, uint32_t& value) const;
  bool Write(uint32_t number, uint32_t value, uint64_t now_ns, Effects& effects);
  // x2APIC MSRs 800H-8FFH. False: #GP.
  bool ReadMsr(uint32_t number, uint64_t now_ns, uint64_t tsc_hz, uint64_t& value) const;
  bool WriteMsr(uint32_t number, uint64_t value, uint64_t now_ns, Effects& effects);
  // IA32_APIC_BASE. False: #GP, an impossible transition.
  bool WriteBase(uint64_t value);

  // Accepts a fixed or lowest-priority interrupt; level sets TMR.
  void Accept(uint8_t vector, bool level);
  // Whether a message to `destination` means this APIC (SDM vol. 3, 11.6.2).
  bool Matches(uint32_t destination, bool logical) const;

  // The vector to be delivered next, above the processor priority; -1: none.
  int Deliverable() const;
  uint32_t ProcessorPriority() const;
  // The CPU took `vector`.
  void Acknowledge(uint8_t vector);

  // The local sources. kError's and the timer's interrupts go to IRR here.
  void RaiseTimer();
  // What LINT0 or LINT1 does with its signal: the delivery mode, or -1 when masked.
  int LintMode(Lvt lint) const;

  // When the timer expires next, in machine time; UINT64_MAX: not armed.
  uint64_t TimerDeadline(uint64_t tsc_hz) const;
  // It did. Re-arms a periodic timer; true when a new deadline is to be set.
  bool TimerExpired(uint64_t tsc_hz, uint64_t now_ns);
  bool tsc_deadline_mode() const;
  void SetTscDeadline(uint64_t tsc) { s_.tsc_deadline = tsc; }

 private:
  void EndOfInterrupt(Effects& effects);
  void WriteIcr(Effects& effects);
  void RaiseError(uint32_t bit);
  uint64_t TickNs() const;
  uint32_t CurrentCount(uint64_t now_ns) const;
  void DisableBySoftware();
  bool periodic() const;

  LocalApicState& s_;
};

}  // namespace hv::vcpu
