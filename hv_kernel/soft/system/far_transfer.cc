// Transfers between segments and privilege levels: IRET, SYSCALL, SYSRET, SYSENTER, SYSEXIT, far
// JMP, CALL and RET (Intel SDM vol. 2; vol. 3, 5.8).
#include "hv_kernel/soft/memory/linear_access.h"
#include "hv_kernel/soft/system/instructions.h"
#include "hv_kernel/soft/system/operand_access.h"
#include "hv_kernel/soft/system/segments.h"

namespace hv::soft {
namespace {

constexpr uint64_t kAlwaysOne = 2;
constexpr uint64_t kFlagsOfSysret = 0x3c7fd7;

Outcome GeneralProtection(Cpu& cpu, uint32_t error = 0) {
  return RaiseWithCode(cpu, Vector::kGeneralProtection, error);
}

// A code segment for a return to `selector`'s RPL or a direct jump at CPL.
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

// The stack segment of a return to an outer level.
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

// Data segments the outer level may not keep are made null (SDM vol. 2, IRET).
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

void LoadCode(Cpu& cpu, uint16_t selector, const Descriptor& code) {
  cpu.segment[HV_CS] = code.ToState(selector);
}

// SS.DPL is where the CPL is kept.
void SetStackPrivilege(Cpu& cpu, uint32_t cpl) {
  hv_segment_state& ss = cpu.segment[HV_SS];
  ss.attributes = (ss.attributes & ~(3u << 5)) | cpl << 5;
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

// The frame of an interrupt, read without moving the stack pointer until all checks are through.
class Frame {
 public:
  Frame(Cpu& cpu, uint32_t bytes) : cpu_(cpu), bytes_(bytes), start_(cpu.gpr[HV_RSP]) {}
  ~Frame() {
    if (!kept_) cpu_.gpr[HV_RSP] = start_;
  }
  Outcome Next(uint64_t& value) { return Pop(cpu_, value, bytes_); }
  void Keep() { kept_ = true; }

 private:
  Cpu& cpu_;
  uint32_t bytes_;
  uint64_t start_;
  bool kept_ = false;
};

}  // namespace

Outcome Iret(Cpu& cpu, const Instruction& insn) {
  const uint32_t bytes = insn.operand_bytes;
  cpu.nmi_blocked = false;
  if (RealMode(cpu)) return IretReal(cpu, bytes);
  if ((cpu.rflags & kFlagVm) != 0 || ((cpu.rflags & kFlagNt) != 0 && !LongModeActive(cpu))) {
    cpu.exit = {.reason = ExitReason::kUnsupported};
    return Outcome::kExit;
  }
  if ((cpu.rflags & kFlagNt) != 0) return GeneralProtection(cpu);
  const bool from_64bit = In64BitMode(cpu);
  Frame frame(cpu, bytes);
  uint64_t rip, cs, flags;
  HV_RETURN_UNLESS_DONE(frame.Next(rip));
  HV_RETURN_UNLESS_DONE(frame.Next(cs));
  HV_RETURN_UNLESS_DONE(frame.Next(flags));
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
    return GeneralProtection(cpu);
  }
  frame.Keep();
  const uint64_t changeable = ChangeableByIret(cpu, bytes);
  cpu.rflags = (cpu.rflags & ~changeable) | (flags & changeable) | kAlwaysOne;
  LoadCode(cpu, selector, code);
  if (outer || from_64bit) {
    cpu.segment[HV_SS] = ss;
    const bool big = (ss.attributes & (1u << 14)) != 0;
    const uint32_t width = to_64bit ? 8 : big ? 4 : 2;
    WriteGpr(cpu, HV_RSP, width, rsp);
  }
  if (outer) DropInnerDataSegments(cpu, rpl);
  cpu.next_rip = to_64bit ? rip : rip & 0xffffffffu;
  return Outcome::kDone;
}

Outcome Syscall(Cpu& cpu, const Instruction&) {
  if ((cpu.efer & kEferSce) == 0 || !LongModeActive(cpu)) {
    return Raise(cpu, Vector::kInvalidOpcode);
  }
  const auto selector = static_cast<uint16_t>(cpu.star >> 32 & 0xfffc);
  const bool from_64bit = In64BitMode(cpu);
  cpu.gpr[HV_RCX] = cpu.next_rip;
  cpu.gpr[HV_R11] = cpu.rflags & ~kFlagRf;
  cpu.next_rip = from_64bit ? cpu.lstar : cpu.cstar;
  cpu.rflags = (cpu.rflags & ~(cpu.sfmask | kFlagRf)) | kAlwaysOne;
  cpu.segment[HV_CS] = FlatSegment(selector, true, 0, true);
  cpu.segment[HV_SS] = FlatSegment(static_cast<uint16_t>(selector + 8), false, 0, false);
  return Outcome::kDone;
}

Outcome Sysret(Cpu& cpu, const Instruction& insn) {
  if ((cpu.efer & kEferSce) == 0 || !LongModeActive(cpu)) {
    return Raise(cpu, Vector::kInvalidOpcode);
  }
  if (PrivilegeLevel(cpu) != 0) return GeneralProtection(cpu);
  const bool to_64bit = insn.operand_bytes == 8;
  if (to_64bit && !IsCanonical(cpu.gpr[HV_RCX])) return GeneralProtection(cpu);
  const auto base = static_cast<uint16_t>(cpu.star >> 48);
  cpu.rflags = (cpu.gpr[HV_R11] & kFlagsOfSysret & ~(kFlagRf | kFlagVm)) | kAlwaysOne;
  const auto cs = static_cast<uint16_t>((to_64bit ? base + 16 : base) | 3);
  cpu.segment[HV_CS] = FlatSegment(cs, true, 3, to_64bit);
  cpu.segment[HV_SS] = FlatSegment(static_cast<uint16_t>((base + 8) | 3), false, 3, false);
  cpu.next_rip = to_64bit ? cpu.gpr[HV_RCX] : cpu.gpr[HV_RCX] & 0xffffffffu;
  return Outcome::kDone;
}

Outcome Sysenter(Cpu& cpu, const Instruction&) {
  if (RealMode(cpu) || (cpu.sysenter_cs & 0xfffc) == 0) return GeneralProtection(cpu);
  const auto selector = static_cast<uint16_t>(cpu.sysenter_cs & 0xfffc);
  const bool long_mode = LongModeActive(cpu);
  cpu.rflags &= ~(kFlagVm | kFlagIf | kFlagRf);
  cpu.segment[HV_CS] = FlatSegment(selector, true, 0, long_mode);
  cpu.segment[HV_SS] = FlatSegment(static_cast<uint16_t>(selector + 8), false, 0, false);
  cpu.gpr[HV_RSP] = long_mode ? cpu.sysenter_esp : cpu.sysenter_esp & 0xffffffffu;
  cpu.next_rip = long_mode ? cpu.sysenter_eip : cpu.sysenter_eip & 0xffffffffu;
  return Outcome::kDone;
}

Outcome Sysexit(Cpu& cpu, const Instruction& insn) {
  if (RealMode(cpu) || (cpu.sysenter_cs & 0xfffc) == 0 || PrivilegeLevel(cpu) != 0) {
    return GeneralProtection(cpu);
  }
  const bool to_64bit = insn.operand_bytes == 8;
  if (to_64bit && (!IsCanonical(cpu.gpr[HV_RDX]) || !IsCanonical(cpu.gpr[HV_RCX]))) {
    return GeneralProtection(cpu);
  }
  const auto base = static_cast<uint16_t>(cpu.sysenter_cs + (to_64bit ? 32 : 16));
  cpu.segment[HV_CS] = FlatSegment(static_cast<uint16_t>(base | 3), true, 3, to_64bit);
  cpu.segment[HV_SS] = FlatSegment(static_cast<uint16_t>((base + 8) | 3), false, 3, false);
  cpu.gpr[HV_RSP] = to_64bit ? cpu.gpr[HV_RCX] : cpu.gpr[HV_RCX] & 0xffffffffu;
  cpu.next_rip = to_64bit ? cpu.gpr[HV_RDX] : cpu.gpr[HV_RDX] & 0xffffffffu;
  return Outcome::kDone;
}

namespace {

Outcome FarTarget(Cpu& cpu, const Instruction& insn, uint16_t& selector, uint64_t& offset) {
  const Operand& operand = insn.operands[0];
  if (operand.kind == Operand::Kind::kFar) {
    selector = operand.far_selector;
    offset = static_cast<uint64_t>(operand.value) & WidthMask(insn.operand_bytes);
    return Outcome::kDone;
  }
  uint64_t linear;
  HV_RETURN_UNLESS_DONE(LinearOf(cpu, insn, operand, operand.bytes, false, linear));
  uint8_t bytes[10] = {};
  HV_RETURN_UNLESS_DONE(ReadLinear(cpu, linear, bytes, operand.bytes, CurrentTlbIndex(cpu)));
  offset = 0;
  for (int i = insn.operand_bytes - 1; i >= 0; --i) offset = offset << 8 | bytes[i];
  selector = static_cast<uint16_t>(bytes[insn.operand_bytes] |
                                   bytes[insn.operand_bytes + 1] << 8);
  return Outcome::kDone;
}

// A code segment for a direct far jump or call: same privilege (SDM vol. 3, 5.8.1.1).
Outcome CheckDirectCode(Cpu& cpu, uint16_t selector, Descriptor& code) {
  if (IsNullSelector(selector)) return GeneralProtection(cpu);
  HV_RETURN_UNLESS_DONE(ReadDescriptor(cpu, selector, code));
  const uint32_t cpl = PrivilegeLevel(cpu);
  const uint32_t error = SelectorError(selector);
  if (code.is_system()) {  // call gates, task gates and TSSs
    cpu.exit = {.reason = ExitReason::kUnsupported};
    return Outcome::kExit;
  }
  const bool fits = code.conforming() ? code.dpl() <= cpl
                                      : code.dpl() == cpl && (selector & 3u) <= cpl;
  const bool long_and_big = LongModeActive(cpu) && code.long_code() && code.big();
  if (!code.is_code() || !fits || long_and_big) return GeneralProtection(cpu, error);
  if (!code.present()) return RaiseWithCode(cpu, Vector::kSegmentNotPresent, error);
  return SetAccessed(cpu, selector, code);
}

Outcome EnterDirectCode(Cpu& cpu, uint16_t selector, const Descriptor& code, uint64_t offset) {
  const bool to_64bit = LongModeActive(cpu) && code.long_code();
  if (to_64bit ? !IsCanonical(offset) : offset > code.limit()) return GeneralProtection(cpu);
  const uint32_t cpl = PrivilegeLevel(cpu);
  LoadCode(cpu, static_cast<uint16_t>((selector & ~3u) | cpl), code);
  SetStackPrivilege(cpu, cpl);
  cpu.next_rip = offset;
  return Outcome::kDone;
}

}  // namespace

Outcome FarJump(Cpu& cpu, const Instruction& insn) {
  uint16_t selector;
  uint64_t offset;
  HV_RETURN_UNLESS_DONE(FarTarget(cpu, insn, selector, offset));
  if (RealMode(cpu)) {
    LoadRealModeSegment(cpu, HV_CS, selector);
    cpu.next_rip = offset;
    return Outcome::kDone;
  }
  Descriptor code;
  HV_RETURN_UNLESS_DONE(CheckDirectCode(cpu, selector, code));
  return EnterDirectCode(cpu, selector, code, offset);
}

Outcome FarCall(Cpu& cpu, const Instruction& insn) {
  uint16_t selector;
  uint64_t offset;
  HV_RETURN_UNLESS_DONE(FarTarget(cpu, insn, selector, offset));
  Descriptor code;
  if (!RealMode(cpu)) HV_RETURN_UNLESS_DONE(CheckDirectCode(cpu, selector, code));
  const uint64_t rsp = cpu.gpr[HV_RSP];
  const uint64_t return_rip = cpu.next_rip;
  HV_RETURN_UNLESS_DONE(Push(cpu, cpu.segment[HV_CS].selector, insn.operand_bytes));
  Outcome outcome = Push(cpu, return_rip, insn.operand_bytes);
  if (outcome == Outcome::kDone) {
    if (RealMode(cpu)) {
      LoadRealModeSegment(cpu, HV_CS, selector);
      cpu.next_rip = offset;
    } else {
      outcome = EnterDirectCode(cpu, selector, code, offset);
    }
  }
  if (outcome != Outcome::kDone) cpu.gpr[HV_RSP] = rsp;
  return outcome;
}

Outcome FarReturn(Cpu& cpu, const Instruction& insn) {
  const uint32_t bytes = insn.operand_bytes;
  const uint64_t extra =
      insn.operand_count > 0 ? static_cast<uint64_t>(insn.operands[0].value) & 0xffff : 0;
  Frame frame(cpu, bytes);
  uint64_t rip, cs;
  HV_RETURN_UNLESS_DONE(frame.Next(rip));
  HV_RETURN_UNLESS_DONE(frame.Next(cs));
  const auto selector = static_cast<uint16_t>(cs);
  if (RealMode(cpu)) {
    frame.Keep();
    LoadRealModeSegment(cpu, HV_CS, selector);
    WriteGpr(cpu, HV_RSP, StackAddressBytes(cpu), cpu.gpr[HV_RSP] + extra);
    cpu.next_rip = rip;
    return Outcome::kDone;
  }
  Descriptor code;
  HV_RETURN_UNLESS_DONE(CheckReturnCode(cpu, selector, code));
  const bool to_64bit = LongModeActive(cpu) && code.long_code();
  if (to_64bit ? !IsCanonical(rip) : rip > code.limit()) return GeneralProtection(cpu);
  const uint32_t rpl = selector & 3u;
  WriteGpr(cpu, HV_RSP, StackAddressBytes(cpu), cpu.gpr[HV_RSP] + extra);
  if (rpl > PrivilegeLevel(cpu)) {
    uint64_t rsp, ss_selector;
    HV_RETURN_UNLESS_DONE(frame.Next(rsp));
    HV_RETURN_UNLESS_DONE(frame.Next(ss_selector));
    hv_segment_state ss{};
    HV_RETURN_UNLESS_DONE(
        CheckOuterStack(cpu, static_cast<uint16_t>(ss_selector), rpl, to_64bit, ss));
    cpu.segment[HV_SS] = ss;
    cpu.gpr[HV_RSP] = rsp + extra;
    DropInnerDataSegments(cpu, rpl);
  }
  frame.Keep();
  LoadCode(cpu, selector, code);
  cpu.next_rip = rip;
  return Outcome::kDone;
}

}  // namespace hv::soft
