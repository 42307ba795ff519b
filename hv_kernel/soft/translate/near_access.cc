#include "hv_kernel/soft/translate/near_access.h"

#include "hv_kernel/soft/translate/memory_operand.h"

namespace hv::soft {
namespace {

constexpr uint32_t kStackBytes = 8;
constexpr uint32_t kWidestOperand = 64;

std::optional<NearAccess> StackAccess(const Decoded& decoded) {
  const Instruction& insn = decoded.compact;
  switch (decoded.zydis.mnemonic) {
    case ZYDIS_MNEMONIC_PUSH:
    case ZYDIS_MNEMONIC_PUSHFQ:
    case ZYDIS_MNEMONIC_POP:
      if (insn.operand_bytes != kStackBytes) return std::nullopt;
      break;
    case ZYDIS_MNEMONIC_CALL:
    case ZYDIS_MNEMONIC_RET: break;
    default: return std::nullopt;
  }
  const bool writes =
      decoded.zydis.mnemonic != ZYDIS_MNEMONIC_POP && decoded.zydis.mnemonic != ZYDIS_MNEMONIC_RET;
  return NearAccess{.part = NearAccess::Part::kStack,
                    .base = HV_RSP,
                    .offset = writes ? -int64_t{kStackBytes} : 0,
                    .bytes = kStackBytes,
                    .writes = writes};
}

// Addressed by more than their operand (addressing.cc), or not accessed at all.
bool IsSpecial(const Decoded& decoded) {
  switch (decoded.zydis.mnemonic) {
    case ZYDIS_MNEMONIC_BT:
    case ZYDIS_MNEMONIC_BTS:
    case ZYDIS_MNEMONIC_BTR:
    case ZYDIS_MNEMONIC_BTC: return decoded.compact.operands[1].kind == Operand::Kind::kGpr;
    case ZYDIS_MNEMONIC_LEA:
    case ZYDIS_MNEMONIC_LEAVE:
    case ZYDIS_MNEMONIC_NOP: return true;
    default: return decoded.zydis.meta.category == ZYDIS_CATEGORY_PREFETCH;
  }
}

std::optional<NearAccess> OperandAccess(const Decoded& decoded) {
  const std::optional<MemoryOperand> found = MemoryOperandOf(decoded);
  if (!found || found->number >= Instruction::kMaxOperands || IsSpecial(decoded)) {
    return std::nullopt;
  }
  const Operand& operand = decoded.compact.operands[found->number];
  const bool flat = operand.segment != HV_FS && operand.segment != HV_GS;
  if (!flat || decoded.compact.address_bytes != 8 || operand.base > HV_R15 ||
      operand.index_vector != kNoRegister || found->bytes == 0 || found->bytes > kWidestOperand) {
    return std::nullopt;
  }
  return NearAccess{.part = NearAccess::Part::kOperand,
                    .base = operand.base,
                    .index = operand.index,
                    .scale = operand.scale,
                    .offset = operand.value,
                    .bytes = found->bytes,
                    .writes = found->use != MemoryUse::kRead};
}

}  // namespace

std::optional<NearAccess> NearAccessOf(const Decoded& decoded) {
  std::optional<NearAccess> access = StackAccess(decoded);
  return access ? access : OperandAccess(decoded);
}

std::optional<int64_t> StepOf(const Decoded& decoded, uint8_t reg) {
  const Instruction& insn = decoded.compact;
  const Operand& to = insn.operands[0];
  const Operand& from = insn.operands[1];
  const bool popped = to.kind == Operand::Kind::kGpr && to.reg == reg;
  const bool pushes = decoded.zydis.mnemonic == ZYDIS_MNEMONIC_PUSH ||
                      decoded.zydis.mnemonic == ZYDIS_MNEMONIC_PUSHFQ;
  if (pushes && reg == HV_RSP) {
    return -int64_t{insn.operand_bytes};
  }
  if (decoded.zydis.mnemonic == ZYDIS_MNEMONIC_POP && reg == HV_RSP && !popped) {
    return int64_t{insn.operand_bytes};
  }
  if (to.kind != Operand::Kind::kGpr || to.reg != reg || to.bytes != 8) return std::nullopt;
  const bool by_immediate = from.kind == Operand::Kind::kImmediate;
  switch (decoded.zydis.mnemonic) {
    case ZYDIS_MNEMONIC_ADD: return by_immediate ? std::optional(from.value) : std::nullopt;
    case ZYDIS_MNEMONIC_SUB: return by_immediate ? std::optional(-from.value) : std::nullopt;
    case ZYDIS_MNEMONIC_INC: return 1;
    case ZYDIS_MNEMONIC_DEC: return -1;
    case ZYDIS_MNEMONIC_LEA:
      if (from.base != reg || from.index != kNoRegister || insn.address_bytes != 8) {
        return std::nullopt;
      }
      return from.value;
    default: return std::nullopt;
  }
}

}  // namespace hv::soft
