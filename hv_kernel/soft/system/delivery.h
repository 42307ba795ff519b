// Delivery of one event through the interrupt table of each mode, without what follows when that
// fails (events.h).
#pragma once

#include <cstdint>

#include "hv_kernel/soft/cpu.h"
#include "hv_kernel/soft/memory/linear_access.h"
#include "hv_kernel/soft/system/gate.h"
#include "hv_kernel/soft/system/operand_access.h"
#include "hv_kernel/soft/system/segments.h"

namespace hv::soft {

// What is being delivered.
struct Event {
  uint8_t vector;
  bool has_error_code = false;
  uint32_t error_code = 0;
  bool software = false;  // INT n and its kin: gate privilege is checked, EXT stays clear
  bool external = false;  // an interrupt or NMI: no partner for a double fault, whatever its vector
  uint64_t return_rip = 0;
};

inline constexpr uint32_t kErrorExternal = 1u << 0;
inline constexpr uint32_t kErrorIdt = 1u << 1;

// The EXT bit of error codes (SDM vol. 3, 6.13).
inline uint32_t External(const Event& event) { return event.software ? 0 : kErrorExternal; }
inline uint32_t IdtError(const Event& event) {
  return uint32_t{event.vector} << 3 | kErrorIdt | External(event);
}
inline uint32_t SelectorErrorOf(const Event& event, uint16_t selector) {
  return SelectorError(selector) | External(event);
}

// On kDone the CPU is at the handler; otherwise nothing but the memory below the stack has changed.
// Real mode and its interrupt vector table.
Outcome DeliverReal(Cpu& cpu, const Event& event);
// 32-bit and 16-bit gates (protected_delivery.cc).
Outcome DeliverProtected(Cpu& cpu, const Event& event);
// 64-bit gates (long_mode_delivery.cc).
Outcome DeliverLong(Cpu& cpu, const Event& event);

// --- What the modes share.

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

// The code segment a gate leads to, checked as SDM vol. 3, 6.12.1.1 and 6.14 say.
Outcome CheckTarget(Cpu& cpu, const Event& event, const Gate& gate, Descriptor& code);
// CS, RIP and RFLAGS as the handler at privilege `level` finds them.
void EnterHandler(Cpu& cpu, const Gate& gate, const Descriptor& code, uint32_t level);

}  // namespace hv::soft
