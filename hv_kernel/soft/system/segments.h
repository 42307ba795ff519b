// Descriptors and segment registers (Intel SDM vol. 3, chapters 3 and 5).
#pragma once

#include <cstdint>

#include "hv_kernel/soft/cpu.h"

namespace hv::soft {

// A code, data or system descriptor of eight bytes as a value (SDM vol. 3, figure 3-8).
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(uint64_t bits) : bits_(bits) {}

  uint64_t bits() const { return bits_; }
  uint64_t base() const { return (bits_ >> 16 & 0xffffff) | (bits_ >> 56 << 24); }
  uint32_t limit() const {
    const auto raw = static_cast<uint32_t>((bits_ & 0xffff) | (bits_ >> 32 & 0xf0000));
    return granular() ? raw << 12 | 0xfff : raw;
  }
  uint32_t attributes() const { return bits_ >> 40 & 0xf0ff; }  // hv_segment_state layout
  uint32_t type() const { return bits_ >> 40 & 0xf; }
  bool is_system() const { return (bits_ >> 44 & 1) == 0; }
  uint32_t dpl() const { return bits_ >> 45 & 3; }
  bool present() const { return (bits_ >> 47 & 1) != 0; }
  bool long_code() const { return (bits_ >> 53 & 1) != 0; }
  bool big() const { return (bits_ >> 54 & 1) != 0; }
  bool granular() const { return (bits_ >> 55 & 1) != 0; }
  bool is_code() const { return !is_system() && (type() & 8) != 0; }
  bool is_data() const { return !is_system() && (type() & 8) == 0; }
  bool conforming() const { return is_code() && (type() & 4) != 0; }
  bool readable() const { return is_data() || (type() & 2) != 0; }
  bool writable() const { return is_data() && (type() & 2) != 0; }

  hv_segment_state ToState(uint16_t selector) const;

 private:
  uint64_t bits_ = 0;
};

enum SystemType : uint8_t {
  kTss16Available = 1,
  kLdt = 2,
  kTss16Busy = 3,
  kCallGate16 = 4,
  kTaskGate = 5,
  kInterruptGate16 = 6,
  kTrapGate16 = 7,
  kTss32Available = 9,
  kTss32Busy = 11,
  kCallGate32 = 12,
  kInterruptGate32 = 14,
  kTrapGate32 = 15,
};

constexpr bool IsNullSelector(uint16_t selector) { return (selector & ~3) == 0; }
constexpr uint32_t SelectorError(uint16_t selector) { return selector & ~3u; }

// Reads the descriptor `selector` names in the GDT or LDT; #GP(selector) (or `vector`) past the
// limit.
Outcome ReadDescriptor(Cpu& cpu, uint16_t selector, Descriptor& descriptor,
                       Vector vector = Vector::kGeneralProtection);
// Sets a descriptor's accessed bit (bit 40) in memory if it is clear.
Outcome SetAccessed(Cpu& cpu, uint16_t selector, Descriptor& descriptor);
// Linear address of the descriptor. REQUIRES: ReadDescriptor succeeded.
uint64_t DescriptorAddress(const Cpu& cpu, uint16_t selector);

// MOV Sreg, POP Sreg and the data segments of IRET and task switches: all checks of SDM vol. 2,
// MOV. REQUIRES: segment is not CS.
Outcome LoadSegment(Cpu& cpu, uint8_t segment, uint16_t selector);
// Real mode and virtual-8086: base = selector * 16.
void LoadRealModeSegment(Cpu& cpu, uint8_t segment, uint16_t selector);

// A null or flat segment as SYSCALL, INT in long mode and others leave it.
hv_segment_state NullSegment(uint16_t selector, uint32_t dpl);
hv_segment_state FlatSegment(uint16_t selector, bool code, uint32_t dpl, bool long_mode);

inline bool RealMode(const Cpu& cpu) { return (cpu.cr0 & kCr0Pe) == 0; }

}  // namespace hv::soft
