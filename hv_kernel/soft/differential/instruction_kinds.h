// What kind of instruction Zydis has decoded, as far as the test treats kinds differently.
#pragma once

#include <Zydis/Zydis.h>

#include <cstdint>

namespace hv::soft::differential {

inline bool IsNearBranch(const ZydisDecodedInstruction& insn) {
  switch (insn.meta.category) {
    case ZYDIS_CATEGORY_COND_BR:
    case ZYDIS_CATEGORY_UNCOND_BR:
    case ZYDIS_CATEGORY_CALL:
    case ZYDIS_CATEGORY_RET: return true;
    default: return false;
  }
}

inline bool IsString(const ZydisDecodedInstruction& insn) {
  return insn.meta.category == ZYDIS_CATEGORY_STRINGOP ||
         insn.meta.category == ZYDIS_CATEGORY_IOSTRINGOP;
}

inline bool IsBitTest(ZydisMnemonic mnemonic) {
  return mnemonic == ZYDIS_MNEMONIC_BT || mnemonic == ZYDIS_MNEMONIC_BTS ||
         mnemonic == ZYDIS_MNEMONIC_BTR || mnemonic == ZYDIS_MNEMONIC_BTC;
}

inline bool IsShift(const ZydisDecodedInstruction& insn) {
  return insn.encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY &&
         (insn.meta.category == ZYDIS_CATEGORY_SHIFT ||
          insn.meta.category == ZYDIS_CATEGORY_ROTATE);
}

inline bool IsDivision(ZydisMnemonic mnemonic) {
  return mnemonic == ZYDIS_MNEMONIC_DIV || mnemonic == ZYDIS_MNEMONIC_IDIV;
}

inline bool IsVector(ZydisRegister reg) {
  const ZydisRegisterClass kind = ZydisRegisterGetClass(reg);
  return kind == ZYDIS_REGCLASS_XMM || kind == ZYDIS_REGCLASS_YMM;
}

inline bool IsIp(ZydisRegister reg) { return ZydisRegisterGetClass(reg) == ZYDIS_REGCLASS_IP; }

// The number of a register, AH to BH counted as RAX to RBX.
inline uint8_t Number(ZydisRegister reg) {
  // Zydis counts AH CH DH BH between BL and SPL.
  const ZyanI8 id = ZydisRegisterGetId(reg);
  if (ZydisRegisterGetClass(reg) != ZYDIS_REGCLASS_GPR8) return static_cast<uint8_t>(id);
  return static_cast<uint8_t>(id < 4 ? id : id - 4);
}

}  // namespace hv::soft::differential
