// One local APIC (Intel SDM vol. 3, chapter 11): registers, requests, local interrupts. What it
// wants done outside it returns.
#pragma once

#include <cstdint>
#include <optional>
#include <type_traits>

#include "vcpu_svc/apic_registers.h"
#include "vcpu_svc/apic_timer.h"
#include "vcpu_svc/interrupt_message.h"
#include "vcpu_svc/vector_set.h"

namespace hv::vcpu {

// Plain data: lives in the state segment.
struct LocalApicState {
  uint64_t base;  // IA32_APIC_BASE
  ApicTimerState timer;
  uint32_t id;  // APIC id; bits 31:24 of the ID register in xAPIC mode
  uint32_t tpr, ldr, dfr, svr;
  uint32_t esr, esr_latched;  // errors since the last write, errors shown
  uint32_t icr_low;
  uint32_t icr_high;  // as the mode has it: bits 31:24, or the whole x2APIC destination
  uint32_t lvt[kLvtEntries];
  VectorSet irr, isr, tmr;
  uint32_t reserved;
};
static_assert(std::has_unique_object_representations_v<LocalApicState>);

// The logical destination register in x2APIC mode: read-only, of the APIC id (11.12.10.2).
constexpr uint32_t X2apicLogicalId(uint32_t id) { return (id >> 4) << 16 | 1u << (id & 15); }

// What a register access caused.
struct Effects {
  std::optional<InterruptMessage> command;
  std::optional<uint8_t> end_of_level;  // EOI of this level-triggered vector is to be broadcast
  bool timer_changed = false;           // the deadline is to be told anew
};

// Invariants: no vector below 16 is ever in IRR or ISR; while the APIC is disabled by software all
// entries of the local vector table are masked (but for LINT0 before the first write to it).
class LocalApic {
 public:
  explicit LocalApic(LocalApicState& state) : s_(state) {}

  // Power-on, with what PC firmware does for the boot CPU: LINT0 passes the 8259 pair on ("virtual
  // wire mode", MultiProcessor Specification 1.4, 3.6.2.2).
  void Reset(uint32_t id, bool boot_cpu);
  // INIT keeps the APIC id and IA32_APIC_BASE (11.4.7.3, 11.12.5.1). It disarms the timer.
  void Init();

  bool enabled() const { return ApicBase(s_.base).enabled(); }
  bool x2apic() const { return ApicBase(s_.base).x2apic(); }
  // By IA32_APIC_BASE and by the spurious-interrupt vector register.
  bool software_enabled() const;

  // xAPIC registers by number, 32 bits each. An access to a reserved one reads 0 or is dropped, and
  // is an error of the APIC. REQUIRES: enabled() && !x2apic().
  uint32_t ReadPage(uint32_t number, uint64_t now_ns);
  void WritePage(uint32_t number, uint32_t value, uint64_t now_ns, Effects& effects);
  // x2APIC registers by distance from MSR 800H. Nothing or false: #GP.
  std::optional<uint64_t> ReadMsr(uint32_t number, uint64_t now_ns) const;
  bool WriteMsr(uint32_t number, uint64_t value, uint64_t now_ns, Effects& effects);
  // IA32_APIC_BASE. False: #GP, a reserved bit or an impossible transition (figure 11-27).
  // Switching the APIC off and on again leaves it as INIT does. The boot-CPU flag is read-only; the
  // register page stays where it is.
  bool WriteBase(uint64_t value, Effects& effects);

  void SetTaskPriority(uint32_t tpr) { s_.tpr = tpr & 0xff; }
  // IA32_TSC_DEADLINE. Reads 0 and ignores writes in the other timer modes (11.5.4.1).
  uint64_t tsc_deadline() const { return s_.timer.tsc_deadline; }
  void WriteTscDeadline(uint64_t deadline, const GuestTsc& tsc, uint64_t now_ns, Effects& effects);
  // The guest moved its TSC: an awaited deadline comes at another time.
  void TscMoved(const GuestTsc& tsc, uint64_t now_ns, Effects& effects);

  // Accepts a fixed or lowest-priority interrupt; level-triggered ones set TMR.
  void Accept(uint8_t vector, bool level_triggered);
  // The CPU took `vector`. Ignored unless it was requested.
  void Acknowledge(uint8_t vector);

  // The timer's deadline has come. True when a new one is to be told.
  bool TimerExpired(uint64_t now_ns);
  // What an entry does with its signal; nothing while masked.
  std::optional<LvtEntry> Unmasked(Lvt entry) const;

 private:
  TimerMode timer_mode() const;
  uint32_t& lvt(Lvt entry) { return s_.lvt[static_cast<uint32_t>(entry)]; }
  uint32_t lvt(Lvt entry) const { return s_.lvt[static_cast<uint32_t>(entry)]; }

  // A register that can be read in the present mode.
  std::optional<uint32_t> Read(uint32_t number, uint64_t now_ns) const;
  // A register that can be written in both modes, reserved bits already dealt with.
  void Write(uint32_t number, uint32_t value, uint64_t now_ns, Effects& effects);
  void WriteLvt(Lvt entry, uint32_t value, Effects& effects);
  void WriteSpurious(uint32_t value);
  void WriteCommand(uint32_t low, Effects& effects);
  void WriteSelfIpi(uint8_t vector, Effects& effects);
  void EndOfInterrupt(Effects& effects);
  void RaiseError(uint32_t error);

  LocalApicState& s_;
};

}  // namespace hv::vcpu
