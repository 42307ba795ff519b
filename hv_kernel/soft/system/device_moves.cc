#include "hv_kernel/soft/system/device_moves.h"

#include <Zydis/Mnemonic.h>

#include "hv_kernel/soft/memory/linear_access.h"
#include "hv_kernel/soft/system/operand_access.h"

namespace hv::soft {
namespace {

uint64_t ExtendSign(uint64_t value, uint32_t bytes) {
  const uint32_t unused = 64 - 8 * bytes;
  return static_cast<uint64_t>(static_cast<int64_t>(value << unused) >> unused);
}

Operand RegisterOperand(uint8_t reg, uint8_t bytes, bool high_byte) {
  return {.kind = Operand::Kind::kGpr, .bytes = bytes, .reg = reg, .high_byte = high_byte};
}

}  // namespace

DeviceMove DeviceMoveOf(const Instruction& insn) {
  const bool extends_sign =
      insn.mnemonic == ZYDIS_MNEMONIC_MOVSX || insn.mnemonic == ZYDIS_MNEMONIC_MOVSXD;
  if (insn.mnemonic != ZYDIS_MNEMONIC_MOV && insn.mnemonic != ZYDIS_MNEMONIC_MOVZX &&
      !extends_sign) {
    return {};
  }
  using Kind = DeviceMove::Kind;
  const Operand& to = insn.operands[0];
  const Operand& from = insn.operands[1];
  const auto with = [](Kind kind, const Operand& reg) {
    return DeviceMove{
        .kind = kind, .reg = reg.reg, .register_bytes = reg.bytes, .high_byte = reg.high_byte};
  };
  if (from.kind == Operand::Kind::kMemory && to.kind == Operand::Kind::kGpr) {
    return with(extends_sign ? Kind::kLoadExtendingSign : Kind::kLoad, to);
  }
  if (to.kind != Operand::Kind::kMemory) return {};
  if (from.kind == Operand::Kind::kGpr) return with(Kind::kStore, from);
  if (from.kind != Operand::Kind::kImmediate) return {};
  return {.kind = Kind::kStoreConstant, .constant = static_cast<int32_t>(from.value)};
}

std::optional<uint64_t> StoredBy(const Cpu& cpu, const DeviceMove& move, uint8_t width) {
  switch (move.kind) {
    case DeviceMove::Kind::kStore:
      return ReadGpr(cpu, RegisterOperand(move.reg, move.register_bytes, move.high_byte));
    case DeviceMove::Kind::kStoreConstant:
      return static_cast<uint64_t>(int64_t{move.constant}) & WidthMask(width);
    default: return std::nullopt;
  }
}

Outcome MoveDevice(Cpu& cpu, const DeviceMove& move, uint64_t physical, uint8_t width) {
  if (const auto value = StoredBy(cpu, move, width)) {
    QueueDeviceWrite(cpu, HV_SPACE_MMIO, physical, width, *value);
    return Outcome::kDone;
  }
  return LeaveToLoad(cpu,
                     {.pending = true,
                      .extends_sign = move.kind == DeviceMove::Kind::kLoadExtendingSign,
                      .high_byte = move.high_byte,
                      .reg = move.reg,
                      .bytes = move.register_bytes},
                     HV_SPACE_MMIO, physical, width);
}

Outcome LeaveToLoad(Cpu& cpu, const Cpu::PendingLoad& load, uint8_t space, uint64_t address,
                    uint8_t width) {
  cpu.load = load;
  cpu.exit = {.reason = space == HV_SPACE_PORT ? ExitReason::kPortRead : ExitReason::kMmioRead,
              .width = width,
              .address = address};
  return Outcome::kExit;
}

void FinishLoad(Cpu& cpu, uint64_t value) {
  const Cpu::PendingLoad load = cpu.load;
  cpu.load.pending = false;
  if (load.extends_sign) value = ExtendSign(value, cpu.exit.width);
  WriteGpr(cpu, RegisterOperand(load.reg, load.bytes, load.high_byte), value);
}

}  // namespace hv::soft
