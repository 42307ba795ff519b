// Every form of every instruction that Zydis can decode in 64-bit code or in 32-bit code, found by
// trying all opcodes.
#pragma once

#include <Zydis/Zydis.h>

#include <cstdint>
#include <string>
#include <vector>

namespace hv::soft::differential {

enum class CodeWidth : uint8_t { k64, k32 };

// An opcode with those of its operand kinds and widths that make it an instruction of its own.
struct Form {
  bool compatibility = false;  // of 32-bit code
  bool vex = false;
  std::vector<uint8_t> prefixes;  // mandatory or operand-size prefixes; one at most for VEX
  bool wide = false;              // REX.W or VEX.W
  uint8_t vector_length = 0;      // VEX.L
  uint8_t map = 0;                // 0: one-byte opcodes, 1: 0F, 2: 0F38, 3: 0F3A
  uint8_t opcode = 0;
  bool has_modrm = false;
  bool has_memory = false;
  // ModRM bytes that give this form. With memory: reg field and mod 0, rm 4 (a SIB byte follows).
  std::vector<uint8_t> modrm;
  ZydisMnemonic mnemonic = ZYDIS_MNEMONIC_INVALID;
  ZydisISAExt extension = ZYDIS_ISA_EXT_INVALID;

  std::string Name() const;
};

// In a fixed order.
std::vector<Form> AllForms(CodeWidth width);

// What can be varied in a form without making it another: the rest of its encoding.
struct Variation {
  uint8_t modrm = 0;
  uint8_t sib = 0;
  bool rex_r = false, rex_x = false, rex_b = false;
  uint8_t vvvv = 0;                     // VEX: the register, not inverted
  bool force_rex = false;               // a REX prefix even if it says nothing
  std::vector<uint8_t> extra_prefixes;  // LOCK, segment, address size, REP
  uint8_t trailing[12] = {};            // displacement and immediate
};

struct Encoded {
  std::vector<uint8_t> bytes;
  ZydisDecodedInstruction instruction;
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
};

// False when no instruction has this encoding.
bool Encode(const Form& form, const Variation& variation, Encoded& out);

}  // namespace hv::soft::differential
