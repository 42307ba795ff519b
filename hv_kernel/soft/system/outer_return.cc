#include "hv_kernel/soft/system/outer_return.h"

#include "hv_kernel/soft/memory/linear_access.h"

namespace hv::soft {
namespace {

Outcome GeneralProtection(Cpu& cpu, uint32_t error = 0) {
  return RaiseWithCode(cpu, Vector::kGeneralProtection, error);
}

}  // namespace

Outcome CheckReturnCode(Cpu& cpu, uint16_t selector, Descriptor& code) {
  if (IsNullSelector(selector)) return GeneralProtection(cpu);
  HV_RETURN_UNLESS_DONE(ReadDescriptor(cpu, selector, code));
  const uint32_t rpl = selector & 3u;
  const bool dpl_fits = code.conforming() ? code.dpl() <= rpl : code.dpl() == rpl;
  const bool long_and_big = LongModeActive(cpu) && code.long_code() && code.big();
  if (!code.is_code() || rpl < PrivilegeLevel(cpu) || !dpl_fits || long_and_big) {
    return GeneralProtection(cpu, SelectorError(selector));
  }
  if (!code.present()) {
    return RaiseWithCode(cpu, Vector::kSegmentNotPresent, SelectorError(selector));
  }
  return SetAccessed(cpu, selector, code);
}

Outcome CheckOuterStack(Cpu& cpu, uint16_t selector, uint32_t rpl, bool to_64bit,
                        hv_segment_state& ss) {
  if (IsNullSelector(selector)) {
    if (!to_64bit || rpl == 3 || (selector & 3u) != rpl) return GeneralProtection(cpu);
    ss = NullSegment(selector, rpl);
    return Outcome::kDone;
  }
  Descriptor descriptor;
  HV_RETURN_UNLESS_DONE(ReadDescriptor(cpu, selector, descriptor));
  if ((selector & 3u) != rpl || !descriptor.writable() || descriptor.dpl() != rpl) {
    return GeneralProtection(cpu, SelectorError(selector));
  }
  if (!descriptor.present()) {
    return RaiseWithCode(cpu, Vector::kStackFault, SelectorError(selector));
  }
  HV_RETURN_UNLESS_DONE(SetAccessed(cpu, selector, descriptor));
  ss = descriptor.ToState(selector);
  return Outcome::kDone;
}

void LoadOuterStack(Cpu& cpu, const hv_segment_state& ss, uint64_t rsp, bool to_64bit) {
  cpu.segment[HV_SS] = ss;
  const bool big = (ss.attributes & (1u << 14)) != 0;
  WriteGpr(cpu, HV_RSP, to_64bit ? 8 : big ? 4 : 2, rsp);
}

void DropInnerDataSegments(Cpu& cpu, uint32_t cpl) {
  for (int segment : {HV_ES, HV_DS, HV_FS, HV_GS}) {
    hv_segment_state& state = cpu.segment[segment];
    const uint32_t type = state.attributes & 0xf;
    const bool conforming_code = (type & 0xc) == 0xc;
    const uint32_t dpl = state.attributes >> 5 & 3;
    if ((state.attributes & HV_SEGMENT_UNUSABLE) == 0 && !conforming_code && dpl < cpl) {
      const uint64_t base = state.base;
      state = NullSegment(0, 0);
      if (LongModeActive(cpu) && segment >= HV_FS) state.base = base;
    }
  }
}

}  // namespace hv::soft
