#include "hv_kernel/soft/translate/loop_registers.h"

#include "hv_kernel/soft/translate/near_access.h"

namespace hv::soft {
namespace {

bool Reads(const ZydisDecodedOperand& operand) {
  return (operand.actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0;
}
bool Writes(const ZydisDecodedOperand& operand) {
  return (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
}

RegisterSet AddressOf(const ZydisDecodedOperand& memory) {
  return RegisterBit(GprNumber(memory.mem.base)) | RegisterBit(GprNumber(memory.mem.index));
}

// Whether its result is near to what it was when its operands are.
bool IsSmooth(const Decoded& decoded) {
  switch (decoded.zydis.mnemonic) {
    case ZYDIS_MNEMONIC_MOV:
    case ZYDIS_MNEMONIC_MOVSX:
    case ZYDIS_MNEMONIC_MOVSXD:
    case ZYDIS_MNEMONIC_MOVZX:
    case ZYDIS_MNEMONIC_CDQE:
    case ZYDIS_MNEMONIC_LEA:
    case ZYDIS_MNEMONIC_ADD:
    case ZYDIS_MNEMONIC_SUB:
    case ZYDIS_MNEMONIC_SHL:
    case ZYDIS_MNEMONIC_SHR:
    case ZYDIS_MNEMONIC_SAR: return true;
    default: return false;
  }
}

bool IsZeroing(const Decoded& decoded) {
  const Operand& to = decoded.compact.operands[0];
  const Operand& from = decoded.compact.operands[1];
  return decoded.zydis.mnemonic == ZYDIS_MNEMONIC_XOR && to.kind == Operand::Kind::kGpr &&
         from.kind == Operand::Kind::kGpr && to.reg == from.reg && to.bytes >= 4;
}

}  // namespace

void LoopRegisters::Study(std::span<const RunInstruction> turn) {
  used_ = written_ = 0;
  for (const RunInstruction& instruction : turn) Note(instruction.decoded);
  RegisterSet at_head = 0;
  for (RegisterSet before = 1; at_head != before;) {
    before = at_head;
    RegisterSet erratic = at_head;
    for (size_t i = 0; i < turn.size(); ++i) {
      erratic_before_[i] = erratic;
      erratic = After(turn[i].decoded, erratic);
    }
    at_head |= erratic;
  }
}

void LoopRegisters::Note(const Decoded& decoded) {
  for (int i = 0; i < decoded.zydis.operand_count; ++i) {
    const ZydisDecodedOperand& operand = decoded.operands[i];
    if (operand.type == ZYDIS_OPERAND_TYPE_MEMORY) used_ |= AddressOf(operand);
    if (operand.type != ZYDIS_OPERAND_TYPE_REGISTER) continue;
    const RegisterSet reg = RegisterBit(GprNumber(operand.reg.value));
    used_ |= reg;
    if (Writes(operand)) written_ |= reg;
  }
}

bool LoopRegisters::ComputesErratically(const Decoded& decoded, RegisterSet erratic) const {
  if (IsZeroing(decoded)) return false;
  if (!IsSmooth(decoded)) return true;
  for (int i = 0; i < decoded.zydis.operand_count; ++i) {
    const ZydisDecodedOperand& operand = decoded.operands[i];
    if (operand.type == ZYDIS_OPERAND_TYPE_MEMORY) {
      const bool loads = operand.mem.type == ZYDIS_MEMOP_TYPE_MEM;
      if ((AddressOf(operand) & (loads ? written_ : erratic)) != 0) return true;
    } else if (operand.type == ZYDIS_OPERAND_TYPE_REGISTER && Reads(operand)) {
      if ((RegisterBit(GprNumber(operand.reg.value)) & erratic) != 0) return true;
    }
  }
  return false;
}

RegisterSet LoopRegisters::After(const Decoded& decoded, RegisterSet erratic) const {
  RegisterSet after = erratic;
  for (int i = 0; i < decoded.zydis.operand_count; ++i) {
    const ZydisDecodedOperand& operand = decoded.operands[i];
    if (operand.type != ZYDIS_OPERAND_TYPE_REGISTER || !Writes(operand)) continue;
    const uint8_t guest = GprNumber(operand.reg.value);
    if (guest == kNoRegister || StepOf(decoded, guest)) continue;
    after &= static_cast<RegisterSet>(~RegisterBit(guest));
    if (ComputesErratically(decoded, erratic)) after |= RegisterBit(guest);
  }
  return after;
}

}  // namespace hv::soft
