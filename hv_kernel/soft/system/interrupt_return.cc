// IRET (Intel SDM vol. 2, IRET; vol. 3, 6.7.1 for what it does to NMIs).
#include "hv_kernel/soft/memory/linear_access.h"
#include "hv_kernel/soft/system/instructions.h"
#include "hv_kernel/soft/system/operand_access.h"
#include "hv_kernel/soft/system/outer_return.h"
#include "hv_kernel/soft/system/segments.h"

namespace hv::soft {
namespace {

constexpr uint64_t kAlwaysOne = 2;

Outcome Unsupported(Cpu& cpu) {
  cpu.exit = {.reason = ExitReason::kUnsupported};
  return Outcome::kExit;
}

Outcome IretReal(Cpu& cpu, uint32_t bytes) {
  uint64_t rip, cs, flags;
  const uint64_t rsp = cpu.gpr[HV_RSP];
  HV_RETURN_UNLESS_DONE(Pop(cpu, rip, bytes));
  Outcome outcome = Pop(cpu, cs, bytes);
  if (outcome == Outcome::kDone) outcome = Pop(cpu, flags, bytes);
  if (outcome != Outcome::kDone) {
    cpu.gpr[HV_RSP] = rsp;
    return outcome;
  }
  LoadRealModeSegment(cpu, HV_CS, static_cast<uint16_t>(cs));
  cpu.next_rip = rip;
  const uint64_t changeable = bytes == 2 ? 0x7fd5 : 0x257fd5;
  cpu.rflags = (cpu.rflags & ~changeable) | (flags & changeable) | kAlwaysOne;
  return Outcome::kDone;
}

uint64_t ChangeableByIret(const Cpu& cpu, uint32_t bytes) {
  uint64_t flags = kArithmeticFlags | kFlagTf | kFlagDf | kFlagNt;
  if (bytes >= 4) flags |= kFlagRf | kFlagAc | kFlagId;
  const uint32_t cpl = PrivilegeLevel(cpu);
  if (cpl <= (cpu.rflags & kFlagIopl) >> 12) flags |= kFlagIf;
  if (cpl == 0) flags |= kFlagIopl;
  return flags;
}

}  // namespace

Outcome Iret(Cpu& cpu, const Instruction& insn) {
  const uint32_t bytes = insn.operand_bytes;
  cpu.nmi_blocked = false;
  if (RealMode(cpu)) return IretReal(cpu, bytes);
  // Virtual-8086 mode and task switches are not run.
  if ((cpu.rflags & kFlagVm) != 0 || ((cpu.rflags & kFlagNt) != 0 && !LongModeActive(cpu))) {
    return Unsupported(cpu);
  }
  if ((cpu.rflags & kFlagNt) != 0) return RaiseWithCode(cpu, Vector::kGeneralProtection, 0);
  const bool from_64bit = In64BitMode(cpu);
  Frame frame(cpu, bytes);
  uint64_t rip, cs, flags;
  HV_RETURN_UNLESS_DONE(frame.Next(rip));
  HV_RETURN_UNLESS_DONE(frame.Next(cs));
  HV_RETURN_UNLESS_DONE(frame.Next(flags));
  if ((flags & kFlagVm) != 0 && PrivilegeLevel(cpu) == 0 && !LongModeActive(cpu)) {
    return Unsupported(cpu);
  }
  const auto selector = static_cast<uint16_t>(cs);
  Descriptor code;
  HV_RETURN_UNLESS_DONE(CheckReturnCode(cpu, selector, code));
  const uint32_t cpl = PrivilegeLevel(cpu);
  const uint32_t rpl = selector & 3u;
  const bool to_64bit = LongModeActive(cpu) && code.long_code();
  const bool outer = rpl > cpl;
  uint64_t rsp = 0;
  hv_segment_state ss{};
  if (outer || from_64bit) {
    uint64_t ss_selector;
    HV_RETURN_UNLESS_DONE(frame.Next(rsp));
    HV_RETURN_UNLESS_DONE(frame.Next(ss_selector));
    HV_RETURN_UNLESS_DONE(
        CheckOuterStack(cpu, static_cast<uint16_t>(ss_selector), rpl, to_64bit, ss));
  }
  if (to_64bit ? !IsCanonical(rip) : (rip & WidthMask(bytes)) > code.limit()) {
    return RaiseWithCode(cpu, Vector::kGeneralProtection, 0);
  }
  frame.Keep();
  const uint64_t changeable = ChangeableByIret(cpu, bytes);
  cpu.rflags = (cpu.rflags & ~changeable) | (flags & changeable) | kAlwaysOne;
  cpu.segment[HV_CS] = code.ToState(selector);
  if (outer || from_64bit) LoadOuterStack(cpu, ss, rsp, to_64bit);
  if (outer) DropInnerDataSegments(cpu, rpl);
  cpu.next_rip = to_64bit ? rip : rip & 0xffffffffu;
  return Outcome::kDone;
}

}  // namespace hv::soft
