#include "hv_kernel/soft/system/device_moves.h"

#include <Zydis/Mnemonic.h>

#include "hv_kernel/soft/memory/linear_access.h"
#include "hv_kernel/soft/system/operand_access.h"

namespace hv::soft {
namespace {

bool ExtendsSign(const Instruction& insn) {
  return insn.mnemonic == ZYDIS_MNEMONIC_MOVSX || insn.mnemonic == ZYDIS_MNEMONIC_MOVSXD;
}

uint64_t ExtendSign(uint64_t value, uint32_t bytes) {
  const uint32_t unused = 64 - 8 * bytes;
  return static_cast<uint64_t>(static_cast<int64_t>(value << unused) >> unused);
}

}  // namespace

bool IsPlainMove(const Instruction& insn) {
  const bool extends = insn.mnemonic == ZYDIS_MNEMONIC_MOVZX || ExtendsSign(insn);
  if (insn.mnemonic != ZYDIS_MNEMONIC_MOV && !extends) return false;
  const Operand& to = insn.operands[0];
  const Operand& from = insn.operands[1];
  using Kind = Operand::Kind;
  if (from.kind == Kind::kMemory) return to.kind == Kind::kGpr;
  return to.kind == Kind::kMemory && (from.kind == Kind::kGpr || from.kind == Kind::kImmediate);
}

Outcome MoveDevice(Cpu& cpu, const Instruction& insn, uint64_t physical) {
  const Operand& to = insn.operands[0];
  const Operand& from = insn.operands[1];
  if (from.kind == Operand::Kind::kMemory) {
    return LeaveToLoad(cpu, insn, HV_SPACE_MMIO, physical, from.bytes);
  }
  const uint64_t value = from.kind == Operand::Kind::kGpr
                             ? ReadGpr(cpu, from)
                             : static_cast<uint64_t>(from.value) & WidthMask(to.bytes);
  QueueDeviceWrite(cpu, HV_SPACE_MMIO, physical, to.bytes, value);
  return Outcome::kDone;
}

Outcome LeaveToLoad(Cpu& cpu, const Instruction& insn, uint8_t space, uint64_t address,
                    uint8_t width) {
  cpu.load = &insn;
  cpu.exit = {.reason = space == HV_SPACE_PORT ? ExitReason::kPortRead : ExitReason::kMmioRead,
              .width = width,
              .address = address};
  return Outcome::kExit;
}

void FinishLoad(Cpu& cpu, uint64_t value) {
  const Instruction& insn = *cpu.load;
  cpu.load = nullptr;
  if (ExtendsSign(insn)) value = ExtendSign(value, cpu.exit.width);
  WriteGpr(cpu, insn.operands[0], value);
}

}  // namespace hv::soft
