// Far JMP, CALL and RET (Intel SDM vol. 2; vol. 3, 5.8).
#include "hv_kernel/soft/memory/linear_access.h"
#include "hv_kernel/soft/system/call_gate.h"
#include "hv_kernel/soft/system/instructions.h"
#include "hv_kernel/soft/system/operand_access.h"
#include "hv_kernel/soft/system/outer_return.h"
#include "hv_kernel/soft/system/segments.h"

namespace hv::soft {
namespace {

Outcome GeneralProtection(Cpu& cpu, uint32_t error = 0) {
  return RaiseWithCode(cpu, Vector::kGeneralProtection, error);
}

// SS.DPL is where the CPL is kept.
void SetStackPrivilege(Cpu& cpu, uint32_t cpl) {
  hv_segment_state& ss = cpu.segment[HV_SS];
  ss.attributes = (ss.attributes & ~(3u << 5)) | cpl << 5;
}

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
  selector = static_cast<uint16_t>(bytes[insn.operand_bytes] | bytes[insn.operand_bytes + 1] << 8);
  return Outcome::kDone;
}

Outcome ReadTarget(Cpu& cpu, uint16_t selector, Descriptor& target) {
  if (IsNullSelector(selector)) return GeneralProtection(cpu);
  return ReadDescriptor(cpu, selector, target);
}

// A code segment for a direct far jump or call: same privilege (SDM vol. 3, 5.8.1.1).
Outcome CheckDirectCode(Cpu& cpu, uint16_t selector, Descriptor& code) {
  const uint32_t cpl = PrivilegeLevel(cpu);
  const uint32_t error = SelectorError(selector);
  const bool fits =
      code.conforming() ? code.dpl() <= cpl : code.dpl() == cpl && (selector & 3u) <= cpl;
  const bool long_and_big = LongModeActive(cpu) && code.long_code() && code.big();
  if (!code.is_code() || !fits || long_and_big) return GeneralProtection(cpu, error);
  if (!code.present()) return RaiseWithCode(cpu, Vector::kSegmentNotPresent, error);
  return SetAccessed(cpu, selector, code);
}

Outcome EnterDirectCode(Cpu& cpu, uint16_t selector, const Descriptor& code, uint64_t offset) {
  const bool to_64bit = LongModeActive(cpu) && code.long_code();
  if (to_64bit ? !IsCanonical(offset) : offset > code.limit()) return GeneralProtection(cpu);
  const uint32_t cpl = PrivilegeLevel(cpu);
  cpu.segment[HV_CS] = code.ToState(static_cast<uint16_t>((selector & ~3u) | cpl));
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
  HV_RETURN_UNLESS_DONE(ReadTarget(cpu, selector, code));
  if (code.is_system()) return JumpThroughGate(cpu, selector, code);
  HV_RETURN_UNLESS_DONE(CheckDirectCode(cpu, selector, code));
  return EnterDirectCode(cpu, selector, code, offset);
}

Outcome FarCall(Cpu& cpu, const Instruction& insn) {
  uint16_t selector;
  uint64_t offset;
  HV_RETURN_UNLESS_DONE(FarTarget(cpu, insn, selector, offset));
  Descriptor code;
  if (!RealMode(cpu)) {
    HV_RETURN_UNLESS_DONE(ReadTarget(cpu, selector, code));
    if (code.is_system()) return CallThroughGate(cpu, selector, code);
    HV_RETURN_UNLESS_DONE(CheckDirectCode(cpu, selector, code));
  }
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
    LoadOuterStack(cpu, ss, rsp + extra, to_64bit);
    DropInnerDataSegments(cpu, rpl);
  }
  frame.Keep();
  cpu.segment[HV_CS] = code.ToState(selector);
  cpu.next_rip = rip;
  return Outcome::kDone;
}

}  // namespace hv::soft
