// IN, OUT, INS, OUTS (Intel SDM vol. 1, chapter 19; vol. 2).
#include "hv_kernel/soft/memory/linear_access.h"
#include "hv_kernel/soft/system/breakpoints.h"
#include "hv_kernel/soft/system/device_moves.h"
#include "hv_kernel/soft/system/instructions.h"
#include "hv_kernel/soft/system/operand_access.h"

namespace hv::soft {
namespace {

constexpr uint64_t kTssIoMapBase = 102;

Outcome GeneralProtection(Cpu& cpu) { return RaiseWithCode(cpu, Vector::kGeneralProtection, 0); }

// SDM vol. 1, 19.5: by IOPL, else by the permission bitmap of the TSS.
Outcome CheckPermission(Cpu& cpu, uint16_t port, uint32_t bytes) {
  const bool virtual_8086 = (cpu.rflags & kFlagVm) != 0;
  if ((cpu.cr0 & kCr0Pe) == 0) return Outcome::kDone;
  if (!virtual_8086 && PrivilegeLevel(cpu) <= (cpu.rflags & kFlagIopl) >> 12) {
    return Outcome::kDone;
  }
  const bool tss32 = (cpu.tr.attributes & 8) != 0;
  if (!tss32 || cpu.tr.limit < kTssIoMapBase + 1) return GeneralProtection(cpu);
  uint16_t map = 0;
  HV_RETURN_UNLESS_DONE(ReadSystem(cpu, cpu.tr.base + kTssIoMapBase, map));
  const uint32_t at = map + port / 8u;
  if (at + 1 > cpu.tr.limit) return GeneralProtection(cpu);
  uint16_t bits = 0;
  HV_RETURN_UNLESS_DONE(ReadSystem(cpu, cpu.tr.base + at, bits));
  const uint32_t mask = ((1u << bytes) - 1) << (port % 8);
  return (bits & mask) == 0 ? Outcome::kDone : GeneralProtection(cpu);
}

uint16_t PortOf(const Cpu& cpu, const Operand& operand) {
  return operand.kind == Operand::Kind::kImmediate ? static_cast<uint16_t>(operand.value & 0xff)
                                                   : static_cast<uint16_t>(cpu.gpr[HV_RDX]);
}

uint32_t StringWidth(const Instruction& insn) {
  return (insn.opcode & 1) == 0 ? 1 : insn.operand_bytes == 2 ? 2 : 4;
}

void Step(Cpu& cpu, const Instruction& insn, uint8_t reg, uint32_t bytes) {
  const uint64_t delta = (cpu.rflags & kFlagDf) != 0 ? 0 - uint64_t{bytes} : bytes;
  WriteGpr(cpu, reg, insn.address_bytes, cpu.gpr[reg] + delta);
}

// One iteration is done: with REP, the instruction comes again until the count is used up.
Outcome Iterated(Cpu& cpu, const Instruction& insn) {
  if (!insn.rep && !insn.repne) return Outcome::kDone;
  const uint64_t left = (cpu.gpr[HV_RCX] & WidthMask(insn.address_bytes)) - 1;
  WriteGpr(cpu, HV_RCX, insn.address_bytes, left);
  if (left != 0) {
    cpu.next_rip = cpu.rip;
    cpu.rflags |= kFlagRf;  // a breakpoint on the instruction does not hit again
  }
  return Outcome::kDone;
}

bool CountIsZero(const Cpu& cpu, const Instruction& insn) {
  return (insn.rep || insn.repne) && (cpu.gpr[HV_RCX] & WidthMask(insn.address_bytes)) == 0;
}

}  // namespace

Outcome In(Cpu& cpu, const Instruction& insn) {
  const uint16_t port = PortOf(cpu, insn.operands[1]);
  const uint8_t bytes = insn.operands[0].bytes;
  HV_RETURN_UNLESS_DONE(CheckPermission(cpu, port, bytes));
  NotePortAccess(cpu, port, bytes);
  return LeaveToLoad(cpu, {.pending = true, .reg = HV_RAX, .bytes = bytes}, HV_SPACE_PORT, port,
                     bytes);
}

Outcome Out(Cpu& cpu, const Instruction& insn) {
  const uint16_t port = PortOf(cpu, insn.operands[0]);
  const uint8_t bytes = insn.operands[1].bytes;
  HV_RETURN_UNLESS_DONE(CheckPermission(cpu, port, bytes));
  QueueDeviceWrite(cpu, HV_SPACE_PORT, port, bytes, ReadGpr(cpu, insn.operands[1]));
  NotePortAccess(cpu, port, bytes);
  return Outcome::kDone;
}

Outcome Ins(Cpu& cpu, const Instruction& insn) {
  const uint32_t bytes = StringWidth(insn);
  const auto port = static_cast<uint16_t>(cpu.gpr[HV_RDX]);
  HV_RETURN_UNLESS_DONE(CheckPermission(cpu, port, bytes));
  if (CountIsZero(cpu, insn)) return Outcome::kDone;
  const uint64_t offset = cpu.gpr[HV_RDI] & WidthMask(insn.address_bytes);
  uint64_t linear;
  HV_RETURN_UNLESS_DONE(Linear(cpu, HV_ES, offset, bytes, true, linear));
  const TlbIndex index = CurrentTlbIndex(cpu);
  HV_RETURN_UNLESS_DONE(CheckWritable(cpu, linear, bytes, index));
  uint64_t value;
  HV_RETURN_UNLESS_DONE(ReadDevice(cpu, HV_SPACE_PORT, port, static_cast<uint8_t>(bytes), value));
  HV_RETURN_UNLESS_DONE(WriteLinear(cpu, linear, &value, bytes, index));
  NotePortAccess(cpu, port, bytes);
  Step(cpu, insn, HV_RDI, bytes);
  return Iterated(cpu, insn);
}

Outcome Outs(Cpu& cpu, const Instruction& insn) {
  const uint32_t bytes = StringWidth(insn);
  const auto port = static_cast<uint16_t>(cpu.gpr[HV_RDX]);
  HV_RETURN_UNLESS_DONE(CheckPermission(cpu, port, bytes));
  if (CountIsZero(cpu, insn)) return Outcome::kDone;
  const uint8_t segment = insn.operands[1].kind == Operand::Kind::kMemory
                              ? insn.operands[1].segment
                              : static_cast<uint8_t>(HV_DS);
  const uint64_t offset = cpu.gpr[HV_RSI] & WidthMask(insn.address_bytes);
  uint64_t linear;
  HV_RETURN_UNLESS_DONE(Linear(cpu, segment, offset, bytes, false, linear));
  uint64_t value = 0;
  HV_RETURN_UNLESS_DONE(ReadLinear(cpu, linear, &value, bytes, CurrentTlbIndex(cpu)));
  QueueDeviceWrite(cpu, HV_SPACE_PORT, port, static_cast<uint8_t>(bytes), value);
  NotePortAccess(cpu, port, bytes);
  Step(cpu, insn, HV_RSI, bytes);
  return Iterated(cpu, insn);
}

}  // namespace hv::soft
