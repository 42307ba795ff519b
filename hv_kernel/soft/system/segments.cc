#include "hv_kernel/soft/system/segments.h"

#include "hv_kernel/soft/memory/linear_access.h"

namespace hv::soft {
namespace {

constexpr uint16_t kTableIndicator = 1u << 2;
constexpr uint64_t kAccessedBit = 1ull << 40;
constexpr uint32_t kPresentAttribute = 1u << 7;
constexpr uint32_t kCodeOrDataAttribute = 1u << 4;

Outcome LoadNull(Cpu& cpu, uint8_t segment, uint16_t selector) {
  if (segment == HV_SS) {
    // Allowed in 64-bit mode below CPL 3, when RPL = CPL.
    const uint32_t cpl = PrivilegeLevel(cpu);
    if (!In64BitMode(cpu) || cpl == 3 || (selector & 3u) != cpl) {
      return RaiseWithCode(cpu, Vector::kGeneralProtection, 0);
    }
    cpu.segment[HV_SS] = NullSegment(selector, cpl);
    return Outcome::kDone;
  }
  // The base of FS and GS goes too, as on Intel; AMD keeps it. Guests must not rely on either.
  cpu.segment[segment] = NullSegment(selector, 0);
  return Outcome::kDone;
}

}  // namespace

hv_segment_state Descriptor::ToState(uint16_t selector) const {
  hv_segment_state state{};
  state.base = base();
  state.limit = limit();
  state.selector = selector;
  state.attributes = attributes();
  return state;
}

hv_segment_state NullSegment(uint16_t selector, uint32_t dpl) {
  hv_segment_state state{};
  state.selector = selector;
  state.attributes = HV_SEGMENT_UNUSABLE | dpl << 5;
  return state;
}

hv_segment_state FlatSegment(uint16_t selector, bool code, uint32_t dpl, bool long_mode) {
  hv_segment_state state{};
  state.selector = selector;
  state.limit = 0xffffffffu;
  const uint32_t type = code ? 0xb : 0x3;
  const uint32_t size = code && long_mode ? 1u << 13 : 1u << 14;
  state.attributes = type | kCodeOrDataAttribute | dpl << 5 | kPresentAttribute | size | 1u << 15;
  return state;
}

uint64_t DescriptorAddress(const Cpu& cpu, uint16_t selector) {
  const uint64_t base = (selector & kTableIndicator) != 0 ? cpu.ldtr.base : cpu.gdtr.base;
  return base + (selector & ~7u);
}

Outcome ReadDescriptor(Cpu& cpu, uint16_t selector, Descriptor& descriptor, Vector vector) {
  const bool local = (selector & kTableIndicator) != 0;
  const uint32_t limit = local ? cpu.ldtr.limit : cpu.gdtr.limit;
  const bool usable = !local || (cpu.ldtr.attributes & HV_SEGMENT_UNUSABLE) == 0;
  if (!usable || (selector | 7u) > limit) {
    return RaiseWithCode(cpu, vector, SelectorError(selector));
  }
  uint64_t bits = 0;
  const Outcome outcome = ReadSystem(cpu, DescriptorAddress(cpu, selector), bits);
  descriptor = Descriptor(bits);
  return outcome;
}

Outcome SetAccessed(Cpu& cpu, uint16_t selector, Descriptor& descriptor) {
  if ((descriptor.bits() & kAccessedBit) != 0) return Outcome::kDone;
  descriptor = Descriptor(descriptor.bits() | kAccessedBit);
  return WriteSystem(cpu, DescriptorAddress(cpu, selector), descriptor.bits());
}

void LoadRealModeSegment(Cpu& cpu, uint8_t segment, uint16_t selector) {
  hv_segment_state& state = cpu.segment[segment];
  state.selector = selector;
  state.base = uint64_t{selector} << 4;
  if ((cpu.rflags & kFlagVm) != 0) {
    state.limit = 0xffff;
    state.attributes = 0xf3;
  } else if (segment == HV_CS) {
    state.attributes = 0x9b;
  }
  state.attributes &= ~HV_SEGMENT_UNUSABLE;
}

Outcome LoadSegment(Cpu& cpu, uint8_t segment, uint16_t selector) {
  if (RealMode(cpu) || (cpu.rflags & kFlagVm) != 0) {
    LoadRealModeSegment(cpu, segment, selector);
    return Outcome::kDone;
  }
  if (IsNullSelector(selector)) return LoadNull(cpu, segment, selector);
  Descriptor descriptor;
  Outcome outcome = ReadDescriptor(cpu, selector, descriptor);
  if (outcome != Outcome::kDone) return outcome;
  const uint32_t cpl = PrivilegeLevel(cpu);
  const uint32_t rpl = selector & 3u;
  const uint32_t error = SelectorError(selector);
  if (segment == HV_SS) {
    if (rpl != cpl || !descriptor.writable() || descriptor.dpl() != cpl) {
      return RaiseWithCode(cpu, Vector::kGeneralProtection, error);
    }
    if (!descriptor.present()) return RaiseWithCode(cpu, Vector::kStackFault, error);
  } else {
    const bool privileged =
        descriptor.conforming() || (rpl <= descriptor.dpl() && cpl <= descriptor.dpl());
    if (descriptor.is_system() || !descriptor.readable() || !privileged) {
      return RaiseWithCode(cpu, Vector::kGeneralProtection, error);
    }
    if (!descriptor.present()) return RaiseWithCode(cpu, Vector::kSegmentNotPresent, error);
  }
  outcome = SetAccessed(cpu, selector, descriptor);
  if (outcome != Outcome::kDone) return outcome;
  cpu.segment[segment] = descriptor.ToState(selector);
  return Outcome::kDone;
}

}  // namespace hv::soft
