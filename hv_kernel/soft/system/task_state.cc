#include "hv_kernel/soft/system/task_state.h"

#include "hv_kernel/soft/memory/linear_access.h"
#include "hv_kernel/soft/system/segments.h"

namespace hv::soft {
namespace {

constexpr uint64_t kTss32Stacks = 4;  // ESP0, SS0, eight bytes a privilege level
constexpr uint64_t kTss16Stacks = 2;  // SP0, SS0, four bytes
constexpr uint64_t kTss64Rsp0 = 4;
constexpr uint64_t kTss64Ist1 = 36;

Outcome InvalidTss(Cpu& cpu, uint32_t external) {
  return RaiseWithCode(cpu, Vector::kInvalidTss, SelectorError(cpu.tr.selector) | external);
}

// The pointer and, behind it, the selector of SS.
template <typename T>
Outcome ReadPair(Cpu& cpu, uint64_t linear, uint64_t& esp, uint16_t& selector) {
  T pointer = 0;
  HV_RETURN_UNLESS_DONE(ReadSystem(cpu, linear, pointer));
  esp = pointer;
  return ReadSystem(cpu, linear + sizeof(T), selector);
}

}  // namespace

Outcome ReadLongStack(Cpu& cpu, uint8_t ist, uint32_t level, uint32_t external, uint64_t& rsp) {
  const uint64_t offset = ist != 0 ? kTss64Ist1 + (ist - 1) * 8u : kTss64Rsp0 + level * 8u;
  if (offset + 7 > cpu.tr.limit) return InvalidTss(cpu, external);
  HV_RETURN_UNLESS_DONE(ReadSystem(cpu, cpu.tr.base + offset, rsp));
  if (!IsCanonical(rsp)) return RaiseWithCode(cpu, Vector::kStackFault, external);
  return Outcome::kDone;
}

Outcome LoadInnerStack(Cpu& cpu, uint32_t level, uint32_t external, hv_segment_state& ss,
                       uint64_t& esp) {
  const bool wide = (cpu.tr.attributes & 8) != 0;
  const uint64_t offset = wide ? kTss32Stacks + level * 8 : kTss16Stacks + level * 4;
  if (offset + (wide ? 5 : 3) > cpu.tr.limit) return InvalidTss(cpu, external);
  uint16_t selector = 0;
  const uint64_t at = cpu.tr.base + offset;
  HV_RETURN_UNLESS_DONE(wide ? ReadPair<uint32_t>(cpu, at, esp, selector)
                             : ReadPair<uint16_t>(cpu, at, esp, selector));
  const uint32_t error = SelectorError(selector) | external;
  if (IsNullSelector(selector)) return RaiseWithCode(cpu, Vector::kInvalidTss, error);
  Descriptor descriptor;
  if (const Outcome outcome = ReadDescriptor(cpu, selector, descriptor, Vector::kInvalidTss);
      outcome != Outcome::kDone) {
    if (cpu.exception.vector != static_cast<uint8_t>(Vector::kPageFault)) {
      cpu.exception.error_code |= external;
    }
    return outcome;
  }
  if ((selector & 3u) != level || descriptor.dpl() != level || !descriptor.writable()) {
    return RaiseWithCode(cpu, Vector::kInvalidTss, error);
  }
  if (!descriptor.present()) return RaiseWithCode(cpu, Vector::kStackFault, error);
  ss = descriptor.ToState(selector);
  return Outcome::kDone;
}

}  // namespace hv::soft
